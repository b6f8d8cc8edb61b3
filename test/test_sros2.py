"""The SROS 2 policy against the graph of a running system: it allows all of it, and no more.

DDS security is not compiled into the ROS wheels, so nothing is enforced here.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from xml.etree import ElementTree

import pytest
import rclpy
import yaml
from rcl_interfaces.srv import SetParameters
from rclpy.action.graph import (
    get_action_client_names_and_types_by_node,
    get_action_server_names_and_types_by_node,
)
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.parameter import Parameter
from test_bringup import EASY, running

from vpg_ros import primitives
from vpg_ros.resources import resource
from vpg_ros.system import SYSTEMS

POLICY = resource("config/sros2/policy.xml")
HIDDEN = "/_action/"  # the topics and services that an action is made of
OBSERVER = "observer"
PATIENCE = 60.0  # s

# Node, what it does, and the whole name of what it does that with.
Right = tuple[str, str, str]


def full_name(name: str, namespace: str, node: str) -> str:
    """As SROS 2 reads the names of a policy."""
    if name.startswith("~"):
        return f"{namespace}{node}{name[1:]}"
    return name if name.startswith("/") else f"{namespace}{name}"


def allowed() -> set[Right]:
    rights = set()
    for profile in ElementTree.parse(POLICY).iter("profile"):
        namespace, node = profile.attrib["ns"], profile.attrib["node"]
        for group in profile:
            for entry in group:
                assert entry.text
                name = full_name(entry.text, namespace, node)
                for verb, rule in group.attrib.items():
                    assert rule == "ALLOW"
                    rights.add((node, verb, name))
    return rights


def graph(observer: Node) -> set[Right]:
    """What every node but the observer does now."""
    found = set()
    for node, namespace in observer.get_node_names_and_namespaces():
        if node == OBSERVER:
            continue
        looks = {
            "publish": observer.get_publisher_names_and_types_by_node,
            "subscribe": observer.get_subscriber_names_and_types_by_node,
            "reply": observer.get_service_names_and_types_by_node,
            "request": observer.get_client_names_and_types_by_node,
            "execute": lambda *who: get_action_server_names_and_types_by_node(observer, *who),
            "call": lambda *who: get_action_client_names_and_types_by_node(observer, *who),
        }
        # A node that is met or missed just now has a name already, or still, and nothing else.
        with suppress(rclpy_implementation.NodeNameNonExistentError):
            for verb, look in looks.items():
                names = [name for name, _ in look(node, namespace) if HIDDEN not in name]
                found |= {(node, verb, name) for name in names}
    return found


@contextmanager
def observing(domain: int) -> Iterator[tuple[Node, SingleThreadedExecutor]]:
    context = Context()
    rclpy.init(context=context, domain_id=domain)
    node = Node(OBSERVER, context=context)
    try:
        yield node, SingleThreadedExecutor(context=context)
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


def unplug_camera(observer: Node, executor: SingleThreadedExecutor) -> None:
    """So that heightmap_node, which hears the camera only while it looks, looks for long."""
    client = observer.create_client(SetParameters, "pybullet_node/set_parameters")
    assert client.wait_for_service(PATIENCE)
    fault = Parameter("camera_fault", value="unplugged").to_parameter_msg()
    future = client.call_async(SetParameters.Request(parameters=[fault]))
    rclpy.spin_until_future_complete(observer, future, executor, timeout_sec=PATIENCE)
    assert future.result().results[0].successful


def known_enclaves(observer: Node) -> dict[str, str]:
    """Node → enclave; a node that was just met tells its own a moment after its name."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = {
            name: enclave
            for name, _, enclave in observer.get_node_names_and_namespaces_with_enclaves()
            if name != OBSERVER
        }
        if all(found.values()) or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def test_the_graph_of_a_running_system_is_what_the_policy_allows(tmp_path):
    rights = allowed()
    maps = {f"/value_maps/{name}" for name in primitives.names()}
    for node, verb in (("inference_node", "publish"), ("task_node", "subscribe")):
        assert maps == {right[2] for right in rights if right[:2] == (node, verb)} & maps, node
    other_maps = maps - {f"/value_maps/{name}" for name in primitives.DEFAULT_REPERTOIRE}
    learning = ("--learn", "--learn-dir", str(tmp_path / "learning"), "--policy", "network")
    with running(tmp_path / "run", *EASY, *learning) as run:
        domain = int(run.place()[0])
        run.until(lambda event: event.get("state") == "capture")
        with observing(domain) as (observer, executor):
            seen = graph(observer)
            unplug_camera(observer, executor)
            deadline = time.monotonic() + PATIENCE
            while not rights <= seen and time.monotonic() < deadline:
                seen |= graph(observer)
                time.sleep(0.02)
            enclaves = known_enclaves(observer)
    assert seen - rights == set(), "these are not allowed"
    seen |= {right for right in rights if right[2] in other_maps}
    assert rights - seen == set(), "these are allowed, but nobody uses them"
    nodes = {node.name: node for make in SYSTEMS.values() for node in make().nodes}
    assert enclaves.items() <= {name: node.enclave for name, node in nodes.items()}.items()


def topics(tree: Any) -> set[str]:
    """The topics that an RViz configuration shows."""
    if isinstance(tree, list):
        return set[str]().union(*map(topics, tree))
    if not isinstance(tree, dict):
        return set()
    named = {key: value for key, value in tree.items() if key.endswith("Topic")}
    return {entry["Value"] for entry in named.values()}.union(*map(topics, tree.values()))


@pytest.mark.parametrize("system", [make() for make in SYSTEMS.values()], ids=list(SYSTEMS))
def test_rviz_shows_topics_that_a_node_of_the_system_publishes(system):
    shown = topics(yaml.safe_load(resource("config/vpg.rviz").read_text()))
    nodes = {node.name for node in system.nodes}
    published = {name for node, verb, name in allowed() if verb == "publish" and node in nodes}
    # Of robot_state_publisher, which the launch files start with every system.
    published.add("/robot_description")
    assert len(shown) == 4 and {f"/{topic}" for topic in shown} <= published


def test_every_node_has_an_enclave_of_its_own():
    found = {
        enclave.attrib["path"]: [profile.attrib["node"] for profile in enclave.iter("profile")]
        for enclave in ElementTree.parse(POLICY).iter("enclave")
    }
    nodes = {node.name: node for make in SYSTEMS.values() for node in make().nodes}
    assert found == {node.enclave: [name] for name, node in nodes.items()}
