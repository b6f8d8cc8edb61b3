"""A system as a LaunchDescription; for the launch files alone, where ``launch`` is there."""

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable, Shutdown
from launch.conditions import IfCondition
from launch.substitutions import EqualsSubstitution, LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from vpg_ros.system import TASK_END, Argument, NodeEntry, System, Value

# s that a node may take after Ctrl-C before it is sent SIGTERM: the arm may be on its way home.
PATIENCE = f"{TASK_END:g}"


def describe(system: System) -> LaunchDescription:
    """Arguments and nodes of ``system``, and robot_state_publisher where that is installed."""
    arguments = [_argument(argument) for argument in system.arguments]
    kinds = {argument.name: argument.kind for argument in system.arguments}
    nodes = [_node(node, system, kinds) for node in system.nodes]
    variables = [SetEnvironmentVariable(*pair) for pair in system.environment.items()]
    return LaunchDescription([*arguments, *variables, *nodes, *_state_publisher(system)])


def _argument(argument: Argument) -> DeclareLaunchArgument:
    choices = ("true", "false") if argument.kind is bool else argument.choices
    optional = {} if argument.default is None else {"default_value": _text(argument.default)}
    return DeclareLaunchArgument(
        argument.name,
        description=f"{argument.description} ({argument.allowed})",
        choices=list(choices) or None,
        **optional,
    )


def _text(value: Value) -> str:
    """A default as launch writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


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
        parameters=[str(system.parameters_path), chosen],
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
    return IfCondition(EqualsSubstitution(LaunchConfiguration(argument), _text(value)))


def _state_publisher(system: System) -> list[Node]:
    """robot_state_publisher with the robot's and the cell's description, for RViz and tf."""
    from vpg_ros.devices.description import expand
    from vpg_ros.geometry import DEFAULT_WORKSPACE

    try:
        get_package_share_directory("robot_state_publisher")
    except PackageNotFoundError:
        return []
    urdf = expand(robot=True, cell=True, frames=True, workspace=DEFAULT_WORKSPACE)
    parameters = {"robot_description": ParameterValue(urdf, value_type=str)}
    return [
        Node(
            package="robot_state_publisher",
            executable="robot_state_publisher",
            parameters=[str(system.parameters_path), parameters],
        )
    ]
