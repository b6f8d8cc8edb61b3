"""inference_node: decisions, pictures, swapping weights under way, unusable weights."""

import shutil
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.node import Node
from rclpy.parameter import Parameter
from ros_fixtures import call, result, ros, run_process, sentence, spinning
from sensor_msgs.msg import Image
from vpg_msgs.srv import LoadCheckpoint, Select

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.heightmap import Heightmap
from vpg_ros.nodes.convert import action_from_msg, heightmap_to_msg, image_from_msg
from vpg_ros.nodes.inference_node import InferenceNode
from vpg_ros.nodes.qos import LATCHED
from vpg_ros.policy.checkpoint import load_policy, save
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.meta import READY_AFTER
from vpg_ros.policy.network import ValueNetwork, make_network
from vpg_ros.policy.network_policy import NetworkPolicy
from vpg_ros.policy.risk import make_risk
from vpg_ros.primitives import DEFAULT_REPERTOIRE


def weights(path: Path, seed: int, head: str = "scalar") -> str:
    """A checkpoint of random weights; its digest."""
    torch.manual_seed(seed)
    return save(path, ValueNetwork(NetworkConfig.of_repertoire(head=head)))


def scene(unseen: bool = False) -> Heightmap:
    height = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    height[100:120, 100:130] = 0.04
    if unseen:
        height[:] = np.nan
    return Heightmap(np.full((*height.shape, 3), 90, np.uint8), height, DEFAULT_WORKSPACE, 7.0)


def request(heightmap: Heightmap, tried=()) -> Select.Request:
    return Select.Request(heightmap=heightmap_to_msg(heightmap), tried=list(tried))


@contextmanager
def graph(checkpoint="", **parameters):
    with ros({"checkpoint": checkpoint or "''", "device": "cpu", "threads": 1, **parameters}):
        client, node = Node("client"), InferenceNode()
        with spinning(client, node):
            yield client


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return {name: (folder / name, weights(folder / name, seed)) for seed, name in enumerate("ab")}


def select(client, heightmap=None, tried=()):
    return call(client, Select, "select", request(heightmap or scene(), tried))


def load(client, path):
    return call(client, LoadCheckpoint, "load_checkpoint", LoadCheckpoint.Request(path=str(path)))


def heard(client, topics) -> dict[str, Image]:
    """The last picture of each topic, as they come."""
    pictures: dict[str, Image] = {}
    for topic in topics:
        client.create_subscription(
            Image, topic, lambda image, topic=topic: pictures.update({topic: image}), LATCHED
        )
    return pictures


def wait_for(condition, seconds: float = 10.0) -> None:
    done = threading.Event()
    for _ in range(round(100 * seconds)):
        if condition() or done.wait(0.01):
            break
    assert condition()


def test_a_primitive_that_was_not_looked_at_has_no_map(tmp_path):
    """A hierarchy takes to the other primitive where the first one came to nothing."""
    torch.manual_seed(0)
    config = NetworkConfig.of_repertoire(trunks="separate", strategy="hierarchical")
    network = make_network(config)
    network.meta.updates += READY_AFTER
    save(tmp_path / "weights", network)
    with graph(tmp_path / "weights") as client:
        topics = {name: f"value_maps/{name}" for name in DEFAULT_REPERTOIRE}
        pictures = heard(client, topics.values())
        chosen = []
        for _ in range(2):
            pictures.clear()
            chosen.append(select(client, tried=20 * chosen).action)
            wait_for(lambda: len(pictures) == len(topics))
            maps = {name: image_from_msg(pictures[topic]) for name, topic in topics.items()}
            known = [name for name, values in maps.items() if np.isfinite(values).any()]
            assert known == [chosen[-1].primitive]
        assert chosen[0].primitive != chosen[1].primitive


def test_what_the_gripper_cannot_do_is_refused_at_the_start(tmp_path):
    given = {"policy": "random", "primitives": "grasp,squeeze", "gripper": "robotiq_2f85"}
    with ros(given), pytest.raises(VpgError, match="squeeze needs a gripper that opens 110 mm"):
        InferenceNode()
    config = NetworkConfig.of_repertoire(("grasp", "roll"))
    save(tmp_path / "rolling", make_network(config))
    with graph(gripper="digital_output") as client:
        answer = load(client, tmp_path / "rolling")
        assert answer.error_code == ErrorCode.PARAMETER_INVALID
        assert "roll needs a gripper that stays half open" in answer.error_msg
        assert select(client).error_code == 0


def test_a_strategy_is_the_networks_alone():
    given = {"policy": "heuristic", "strategy": "hierarchical"}
    with ros(given), pytest.raises(VpgError, match="the heuristic policy knows none"):
        InferenceNode()


def test_a_heightmap_becomes_an_action_and_pictures(checkpoints):
    path, digest = checkpoints["a"]
    with graph(path) as client:
        topics = ("overlay", *(f"value_maps/{name}" for name in DEFAULT_REPERTOIRE))
        pictures = heard(client, topics)
        response = select(client)
        assert response.error_code == ErrorCode.OK, response.error_msg
        action = action_from_msg(response.action)
        assert action.primitive in DEFAULT_REPERTOIRE and action.checkpoint == digest
        assert action.policy == "network" and response.decision_ms > 0
        x, y = DEFAULT_WORKSPACE.to_metres(action.row, action.column)
        assert action.pose.position[:2] == pytest.approx((x, y))
        wait_for(lambda: set(pictures) == set(topics))
        assert all(image.header.stamp.sec == 7 for image in pictures.values())
        best = np.nanmax([np.nanmax(image_from_msg(pictures[t])) for t in topics[1:]])
        assert action.value == pytest.approx(best, abs=1e-5)


def test_what_was_tried_is_not_chosen_again(checkpoints):
    with graph(checkpoints["a"][0]) as client:
        first = select(client).action
        second = select(client, tried=[first]).action
        chosen = [(a.primitive, a.rotation, a.row, a.column) for a in (first, second)]
        assert chosen[0] != chosen[1]


def test_a_heightmap_without_a_valid_height_is_an_error(checkpoints):
    with graph(checkpoints["a"][0]) as client:
        response = select(client, scene(unseen=True))
        assert response.error_code == ErrorCode.HEIGHTMAP_INVALID
        assert "no valid height" in response.error_msg
        assert select(client).error_code == ErrorCode.OK


def test_an_empty_request_is_an_error_and_no_crash(checkpoints):
    with graph(checkpoints["a"][0]) as client:
        response = call(client, Select, "select", Select.Request())
        assert response.error_code == ErrorCode.HEIGHTMAP_INVALID
        assert select(client).error_code == ErrorCode.OK


def test_weights_are_swapped_without_dropping_a_request(checkpoints):
    (first, first_digest), (second, second_digest) = checkpoints["a"], checkpoints["b"]
    with graph(first) as client:
        selects = client.create_client(Select, "select")
        assert selects.wait_for_service(20.0)
        loads = client.create_client(LoadCheckpoint, "load_checkpoint")
        assert loads.wait_for_service(20.0)
        futures = []
        for index in range(6):
            futures.append(selects.call_async(request(scene())))
            if index == 1:
                loading = loads.call_async(LoadCheckpoint.Request(path=str(second)))
        assert result(loading).checkpoint == second_digest
        answers = [result(future) for future in futures]
        assert {answer.error_code for answer in answers} == {ErrorCode.OK}
        assert {answer.action.checkpoint for answer in answers} <= {first_digest, second_digest}
        assert select(client).action.checkpoint == second_digest


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1000]), ErrorCode.CHECKPOINT_CORRUPT),
        (lambda path: path.write_text("no weights"), ErrorCode.CHECKPOINT_CORRUPT),
        (lambda path: path.unlink(), ErrorCode.CHECKPOINT_MISSING),
    ],
)
def test_bad_weights_are_refused_and_the_old_ones_stay(checkpoints, tmp_path, spoil, code):
    path, digest = checkpoints["a"]
    bad = tmp_path / "bad"
    shutil.copy(path, bad)
    spoil(bad)
    with graph(path) as client:
        response = load(client, bad)
        assert response.error_code == code and str(bad) in response.error_msg
        assert response.checkpoint == digest
        assert select(client).action.checkpoint == digest


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory"), MemoryError("no memory")])
def test_a_device_that_cannot_take_the_weights_keeps_the_old_ones(checkpoints, monkeypatch, error):
    def fail(*_):
        raise error

    path, digest = checkpoints["a"]
    with graph(path) as client:
        monkeypatch.setattr("vpg_ros.nodes.inference_node.load_policy", fail)
        response = load(client, path)
        assert response.error_code == ErrorCode.DEVICE_UNAVAILABLE
        assert str(path) in response.error_msg and str(error) in response.error_msg
        assert response.checkpoint == digest
        assert select(client).action.checkpoint == digest


def test_decisions_go_on_after_memory_was_short_for_a_moment(checkpoints, monkeypatch):
    """oneDNN fails again and again in the thread in which it has once been without memory."""
    decide, here, short = NetworkPolicy.decide, threading.local(), True

    def like_one_dnn(policy, *scene):
        here.failed = short or getattr(here, "failed", False)
        if here.failed:
            raise RuntimeError("could not create a primitive")
        return decide(policy, *scene)

    with graph(checkpoints["a"][0]) as client:
        monkeypatch.setattr(NetworkPolicy, "decide", like_one_dnn)
        assert select(client).error_code == ErrorCode.DEVICE_UNAVAILABLE
        short = False
        assert select(client).error_code == ErrorCode.OK


@pytest.mark.parametrize(
    ("content", "code"), [(None, ErrorCode.CHECKPOINT_MISSING), ("x", ErrorCode.CHECKPOINT_CORRUPT)]
)
def test_a_start_with_bad_weights_ends_with_one_sentence(tmp_path, content, code):
    path = tmp_path / "weights.safetensors"
    if content is not None:
        path.write_text(content)
    text = sentence(run_process("inference_node", f"checkpoint:={path}"))
    assert str(path) in text and f"[error {code.value}]" in text


def change(client, **values):
    """Set parameters of the node together; what it says to them."""
    parameters = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
    kind, name = SetParametersAtomically, "inference_node/set_parameters_atomically"
    return call(client, kind, name, kind.Request(parameters=parameters)).result


@pytest.fixture(scope="module")
def quantiles(tmp_path_factory):
    path = tmp_path_factory.mktemp("quantiles") / "weights"
    weights(path, 0, "quantile")
    return path


def test_the_risk_is_changed_on_the_live_node(quantiles):
    offline = load_policy(quantiles, "cpu")
    with graph(quantiles, risk="wang", alpha=0.5) as client:
        for name, alpha in (("wang", 0.5), ("cvar", 0.1), ("mean", 0.1)):
            if name != "wang":
                assert change(client, risk=name, alpha=alpha).successful
            action = action_from_msg(select(client).action)
            expected = offline.with_risk(make_risk(name, alpha)).decide(scene()).action
            assert action.value == pytest.approx(expected.value, abs=1e-5)
            assert action.spread == pytest.approx(expected.spread, abs=1e-4) and action.spread > 0
            assert (action.row, action.column) == (expected.row, expected.column)


def test_a_risk_that_cannot_be_is_refused_and_the_old_one_stays(quantiles, checkpoints):
    with graph(quantiles, risk="cvar", alpha=0.2) as client:
        before = select(client).action
        for values, reason in (
            ({"risk": "luck"}, "risk is 'luck'"),
            ({"alpha": 1.5}, "alpha is 1.5; for the risk 'cvar'"),
            ({"risk": "var", "alpha": 0.0}, "alpha is 0.0; for the risk 'var'"),
        ):
            answer = change(client, **values)
            assert not answer.successful and reason in answer.reason
        refused = load(client, checkpoints["a"][0])
        assert refused.error_code == ErrorCode.PARAMETER_INVALID
        assert "scalar head" in refused.error_msg
        assert select(client).action == before


@pytest.mark.parametrize("policy", ["network", "heuristic"])
def test_what_knows_no_risk_says_so(policy, checkpoints):
    with graph(checkpoints["a"][0], policy=policy) as client:
        answer = change(client, risk="cvar")
        assert not answer.successful and "risk is 'cvar'" in answer.reason
        assert select(client).error_code == ErrorCode.OK


@pytest.mark.parametrize("policy", ["heuristic", "random"])
def test_the_baselines_need_no_weights(policy):
    with graph(policy=policy) as client:
        response = select(client)
        assert response.error_code == ErrorCode.OK and response.action.policy == policy


def test_a_policy_that_there_is_not_is_one_sentence():
    text = sentence(run_process("inference_node", "policy:=oracle"))
    assert "policy" in text and "'oracle'" in text and "heuristic" in text and "[error 900]" in text
