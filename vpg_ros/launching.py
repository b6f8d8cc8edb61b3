"""A system as a LaunchDescription; for the launch files alone, where ``launch`` is there."""

from collections.abc import Sequence

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    LogInfo,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.conditions import IfCondition
from launch.substitutions import EqualsSubstitution, LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from vpg_ros.argument import Argument, as_text
from vpg_ros.bringup.check import check_calibration
from vpg_ros.bringup.model import robot_description
from vpg_ros.resources import resource
from vpg_ros.system import PARAMS, SIMULATOR_END, NodeEntry, System

# s that a node may take after Ctrl-C before it is sent SIGTERM: the arm may be on its way home.
PATIENCE = f"{SIMULATOR_END:g}"
_RVIZ = DeclareLaunchArgument(
    "rviz",
    description="show robot, camera and plans in RViz",
    choices=["true", "false"],
    default_value="false",
)


def describe(system: System) -> LaunchDescription:
    """Arguments and nodes of ``system``, and what shows it where that is installed."""
    arguments = [_argument(argument) for argument in system.arguments]
    kinds = {argument.name: argument.kind for argument in system.arguments}
    nodes = [_node(node, system, kinds) for node in system.nodes]
    variables = [SetEnvironmentVariable(*pair) for pair in system.environment.items()]
    viewers = OpaqueFunction(function=_viewers, args=[system])
    told = OpaqueFunction(function=_tell, args=[system])
    return LaunchDescription([told, *arguments, _RVIZ, *variables, *nodes, viewers])


def _tell(context: LaunchContext, system: System) -> None:
    """Add what the parameter file sets, before arguments that are not given take their default.

    Raises before any node starts: launch would go on without a parameter file.
    """
    told = system.told(context.launch_configurations)
    if told.get("calibration"):
        check_calibration(system, told)
    context.launch_configurations.update(told)


def _argument(argument: Argument) -> DeclareLaunchArgument:
    choices = ("true", "false") if argument.kind is bool else argument.choices
    optional = {} if argument.default is None else {"default_value": as_text(argument.default)}
    return DeclareLaunchArgument(
        argument.name,
        description=f"{argument.description} ({argument.allowed})",
        choices=list(choices) or None,
        **optional,
    )


def _node(node: NodeEntry, system: System, kinds: dict[str, type]) -> Node:
    """One node; when it ends, whatever the reason, the system ends."""
    chosen = {
        name: ParameterValue(LaunchConfiguration(argument), value_type=kinds[argument])
        for name, argument in node.parameters.items()
    }
    return Node(
        package="vpg_ros",
        executable=node.name,
        name=node.name,
        # With a namespace launch writes what is chosen under the node's full name, which no section
        # of the parameter file overrules; without, under "/**".
        namespace="",
        parameters=[LaunchConfiguration(PARAMS), chosen],
        ros_arguments=["--enclave", node.enclave],
        condition=_condition(node),
        output="screen",
        emulate_tty=True,
        sigterm_timeout=PATIENCE,
        on_exit=Shutdown(reason=f"{node.name} ended"),
    )


def _condition(node: NodeEntry) -> IfCondition | None:
    if node.only_if is None:
        return None
    argument, value = node.only_if
    return IfCondition(EqualsSubstitution(LaunchConfiguration(argument), as_text(value)))


def _viewers(context: LaunchContext, system: System) -> list[Node | LogInfo]:
    """robot_state_publisher, which tells tf where everything is, and RViz where that is wanted.

    The robot's description follows the arguments, so it is made when these are known.
    """
    given = context.launch_configurations
    nodes: list[Node | LogInfo] = []
    if _is_installed("robot_state_publisher"):
        urdf = ParameterValue(robot_description(system, given), value_type=str)
        nodes.append(_viewer("robot_state_publisher", {"robot_description": urdf}))
    if given["rviz"] == "true":
        nodes.append(_rviz())
    return nodes


def _rviz() -> Node | LogInfo:
    """RViz, or where it is had from; nothing depends on it."""
    if not _is_installed("rviz2"):
        return LogInfo(msg="rviz:=true, but RViz is not here: apt install ros-$ROS_DISTRO-rviz2")
    return _viewer("rviz2", {}, ["-d", str(resource("config/vpg.rviz"))])


def _viewer(
    name: str, parameters: dict[str, ParameterValue], arguments: Sequence[str] = ()
) -> Node:
    """A node that only looks on: the system goes on without it."""
    return Node(
        package=name,
        executable=name,
        name=name,
        parameters=[LaunchConfiguration(PARAMS), parameters],
        arguments=list(arguments),
    )


def _is_installed(package: str) -> bool:
    try:
        get_package_share_directory(package)
    except PackageNotFoundError:
        return False
    return True
