"""learner_node: learning beside a running cell, handing on weights, and surviving a kill."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.duration import Duration
from rclpy.node import Node
from ros_fixtures import CONFIG, call, ros, spinning
from vpg_msgs.msg import Transition as TransitionMsg
from vpg_msgs.srv import LoadCheckpoint, Select

from vpg_ros import primitives
from vpg_ros.action import Transition
from vpg_ros.atomic import write_json
from vpg_ros.bringup.network import reserve_address, reserve_domain
from vpg_ros.bringup.supervisor import Supervisor
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning import online
from vpg_ros.learning.lock import alone
from vpg_ros.learning.online import OnlineConfig, OnlineLearning
from vpg_ros.learning.state import load_state
from vpg_ros.learning.store import read_transitions
from vpg_ros.motion import Outcome
from vpg_ros.nodes import learner_clients
from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.convert import heightmap_to_msg, transition_to_msg
from vpg_ros.nodes.inference_node import InferenceNode
from vpg_ros.nodes.learner_node import LearnerNode
from vpg_ros.nodes.qos import LATCHED
from vpg_ros.policy.baselines import HeuristicPolicy
from vpg_ros.policy.exploration import Exploration, explore
from vpg_ros.primitives import DEFAULT_REPERTOIRE
from vpg_ros.run_folder import SUMMARY_FILE, TRANSITIONS_FILE
from vpg_ros.system import sim

PATIENCE = 150.0  # s of wall time for anything, on a busy machine
ELSEWHERE = replace(DEFAULT_WORKSPACE, origin_x=0.1)


def scene(row: int, stamp: float) -> Heightmap:
    height = np.zeros(DEFAULT_WORKSPACE.shape, np.float32)
    height[row : row + 20, 100:120] = 0.04
    return Heightmap(np.full((*height.shape, 3), 90, np.uint8), height, DEFAULT_WORKSPACE, stamp)


def transition(step: int, **changes) -> Transition:
    """A grasp of one block, or a push of it, after which it lies elsewhere."""
    before, after = scene(60 + step, float(step)), scene(140 - step, step + 1.0)
    name = DEFAULT_REPERTOIRE[step % 2]
    action = primitives.get(name).action(70 + step, 110, step % 8, before)
    gain = float(name == "grasp" and step % 4 == 0)
    made = Transition("episode", step, before, action, Outcome(bool(gain)), gain, after, False)
    return replace(made, **changes)


def until(condition: Callable[[], object], otherwise: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.02)


class Cell(Node):
    """What a task publishes, and what the learner says of itself."""

    def __init__(self) -> None:
        super().__init__("cell")
        self._publisher = self.create_publisher(TransitionMsg, "transition", LATCHED)
        self.status = DiagnosticStatus()
        self.create_subscription(DiagnosticArray, "/diagnostics", self._receive, 10)

    def _receive(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name.startswith("learner_node"):
                self.status = status

    @property
    def values(self) -> dict[str, str]:
        return {pair.key: pair.value for pair in self.status.values}

    def publish(self, made: Transition | TransitionMsg) -> None:
        message = made if isinstance(made, TransitionMsg) else transition_to_msg(made)
        self._publisher.publish(message)
        # The topic keeps one message only.
        assert self._publisher.wait_for_all_acked(Duration(seconds=PATIENCE))

    def until(self, condition: Callable[[], object], what: str) -> None:
        until(condition, lambda: f"never {what}: {self.status}")

    def until_values(self, **wanted: str) -> None:
        self.until(lambda: wanted.items() <= self.values.items(), str(wanted))

    def connect(self) -> None:
        """Wait for the learner to listen."""
        self.until(lambda: self._publisher.get_subscription_count() > 0, "listened to")


@contextmanager
def learner_process(out: Path, log: Path, **parameters):
    pairs = {"out": out, "save_after": 4, "start_after": 4, "updates_per_transition": 1}
    given = [
        part
        for key, value in (pairs | parameters).items()
        for part in ("-p", f"learner_node:{key}:={value}")
    ]
    files = ["--params-file", str(CONFIG / "sim.yaml"), "-p", "use_sim_time:=false"]
    command = [sys.executable, "-m", "vpg_ros.nodes.learner_node", "--ros-args", *files, *given]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_killed_learner_goes_on_where_it_was_and_bad_transitions_are_refused(tmp_path):
    out, log = tmp_path / "learning", tmp_path / "log"
    with ros():
        cell = Cell()
        with spinning(cell):
            with learner_process(out, log) as process:
                cell.connect()
                for step in range(3):
                    cell.publish(transition(step))
                cell.publish(transition(3, reward=math.nan))
                cell.until_values(experiences="3", refused="1")
                assert cell.status.level == DiagnosticStatus.ERROR
                assert "step 3" in cell.status.message and "reward nan" in cell.status.message
                cell.publish(transition(3))
                cell.until_values(experiences="4", updates="4", unsaved="0", refused="1")
                assert cell.status.level == DiagnosticStatus.OK
                assert cell.values["grasp_success"] == "0.50" and cell.values["checkpoint"]
                digest = cell.values["checkpoint"]
                process.send_signal(signal.SIGKILL)
                process.wait()
            cell.status = DiagnosticStatus()
            with learner_process(out, log) as process:
                cell.connect()
                # What came last comes again, because the topic is latched, and counts once.
                cell.until_values(experiences="4", updates="4", checkpoint=digest)
                assert cell.values["grasp_success"] == "0.50"
                for step in range(4, 8):
                    cell.publish(transition(step))
                cell.until_values(experiences="8", updates="8", unsaved="0")
                assert cell.values["checkpoint"] != digest
                process.send_signal(signal.SIGINT)
                assert process.wait(20.0) == 0, log.read_text()
    assert len((out / "curve.csv").read_text().splitlines()) == 1 + 8
    assert "Traceback" not in log.read_text()


@contextmanager
def learner_and_inference(out: Path, **parameters):
    """Both in this process, with few transitions to a save; (cell, inference, learner)."""
    values = {"out": out, "save_after": 4, "start_after": 2, "updates_per_transition": 1}
    values |= {"warm_up": 2, "exploration": 0.25} | parameters
    given = {f"learner_node:{key}": value for key, value in values.items()}
    with ros({"device": "cpu", "inference_node:threads": 1, **given}):
        cell, inference, learner = Cell(), InferenceNode(), LearnerNode()
        with spinning(cell, inference, learner):
            work = threading.Thread(target=learner.work)
            work.start()
            try:
                yield cell, inference, learner
            finally:
                learner.stop.set()
                work.join(20.0)
        assert not work.is_alive()


def decision(cell: Cell):
    request = Select.Request(heightmap=heightmap_to_msg(scene(100, 1.0)))
    response = call(cell, Select, "select", request)
    assert response.error_code == ErrorCode.OK, response.error_msg
    return response.action


def load(cell: Cell, path: Path):
    return call(cell, LoadCheckpoint, "load_checkpoint", LoadCheckpoint.Request(path=str(path)))


def test_inference_acts_on_what_was_learned_and_refuses_weights_that_it_cannot_read(
    tmp_path, monkeypatch
):
    with learner_and_inference(tmp_path) as (cell, inference, _):

        def share() -> float:
            return inference.get_parameter("exploration").value

        cell.connect()
        cell.until(lambda: share() == 1.0, "all random during the warm-up")
        shipped = inference._policy.checkpoint
        for step in range(4):
            cell.publish(transition(step))
        cell.until_values(experiences="4", unsaved="0")
        cell.until(lambda: inference._policy.checkpoint != shipped, "swapped")
        cell.until(lambda: share() == 0.25, "at the share after the warm-up")
        learned = inference._policy.checkpoint
        cell.until_values(checkpoint=learned)
        assert load(cell, tmp_path / "weights.safetensors").checkpoint == learned

        def spoil(path, *_):
            path.write_bytes(b"no weights")
            return "spoilt"

        monkeypatch.setattr(online.checkpoint, "save", spoil)
        for step in range(4, 8):
            cell.publish(transition(step))
        cell.until(lambda: cell.status.level == DiagnosticStatus.ERROR, "refused")
        assert "weights.safetensors is truncated" in cell.status.message
        assert inference._policy.checkpoint == learned
        answer = load(cell, tmp_path / "weights.safetensors")
        assert (answer.error_code, answer.checkpoint) == (ErrorCode.CHECKPOINT_CORRUPT, learned)
        chosen = {decision(cell).checkpoint for _ in range(12)}
        assert chosen == {learned, ""}  # a quarter is random


def test_an_inference_node_that_came_back_is_told_everything_again(tmp_path, monkeypatch):
    """It dies and is started again before the next look, in which the service is there as ever."""
    monkeypatch.setattr(learner_clients, "_RETRY", 0.0)
    (tmp_path / "weights.safetensors").write_bytes(b"no weights")
    with ros({"device": "cpu", "inference_node:threads": 1}):
        teller = VpgNode("teller")
        client = learner_clients.InferenceClient(teller)
        services = (client._set, client._load)
        with spinning(teller):
            for _ in range(2):
                inference = InferenceNode()
                with spinning(inference):
                    until(lambda: all(each.service_is_ready() for each in services))
                    client.tell(tmp_path / "weights.safetensors", "digest", 0.25)
                    assert client.error and client.error.code is ErrorCode.CHECKPOINT_CORRUPT
                    assert inference.get_parameter("exploration").value == 0.25
                until(lambda: not any(each.service_is_ready() for each in services))


def test_inference_is_told_a_path_that_holds_in_any_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = []

    def note(request, response):
        told.append(request.path)
        return response

    with ros({"learner_node:out": "learning", "learner_node:save_after": 1, "device": "cpu"}):
        cell, learner = Cell(), LearnerNode()
        cell.create_service(LoadCheckpoint, "load_checkpoint", note)
        with spinning(cell, learner):
            work = threading.Thread(target=learner.work)
            work.start()
            cell.connect()
            cell.publish(transition(0))
            cell.until(lambda: told, "told of weights")
            learner.stop.set()
            work.join(20.0)
    assert told[0] == str(tmp_path / "learning" / "weights.safetensors")


@pytest.mark.parametrize(
    ("code", "saved"),
    [(ErrorCode.LEARNING_DIVERGED, False), (ErrorCode.NODE_NOT_AVAILABLE, True)],
)
def test_only_a_learning_that_diverged_is_not_saved_at_the_end(tmp_path, code, saved):
    given = {"hand_over": False, "save_after": 50, "start_after": 50}
    with learner_and_inference(tmp_path, **given) as (cell, _, learner):
        cell.connect()
        cell.publish(transition(0))
        cell.until_values(unsaved="1")
        learner.fail(VpgError(code, "that is it"))
    assert (tmp_path / "state.pt").is_file() == saved


def test_one_node_learns_in_a_folder_at_a_time(tmp_path):
    with ros({"learner_node:out": tmp_path, "device": "cpu"}):
        with alone(tmp_path), pytest.raises(VpgError, match="in use by another process") as caught:
            LearnerNode()
        assert caught.value.code is ErrorCode.STORE_MISMATCH
        learner = LearnerNode()
        learner.close()
        with alone(tmp_path, wait=False):
            pass


def test_nothing_is_learned_from_a_dry_run(tmp_path):
    given = {"learner_node:dry_run": True, "learner_node:out": tmp_path / "learning"}
    with ros(given), pytest.raises(VpgError, match="nothing moves"):
        LearnerNode()
    assert not (tmp_path / "learning").exists()


SMALL = """
/**/learner_node:
  ros__parameters: {start_after: 1, save_after: 1, updates_per_transition: 1}
/**/task_node:
  ros__parameters: {max_unchanged: 50}
"""


def test_one_object_is_practised_on_again_and_again_while_the_weights_change(tmp_path):
    system = sim()
    given = {"scene": "row", "objects": "1", "max_actions": "8", "exploration": "0.0"}
    given |= {"run_dir": str(tmp_path), "learn_dir": str(tmp_path / "learning")}
    values = system.resolve(given | {"learn": "true", "return_objects": "true"})
    (tmp_path / "small.yaml").write_text(SMALL)
    with reserve_domain() as domain, reserve_address() as values["robot_ip"]:
        write_json(tmp_path / "given.yaml", system.file_content(values))
        # The file of the system has the learner wait for more than these few actions.
        shipped = system.parameters_path.read_text()
        (tmp_path / "shipped.yaml").write_text(shipped[: shipped.index("/**/learner_node")])
        files = tuple(tmp_path / f"{name}.yaml" for name in ("shipped", "small", "given"))
        environment = {**os.environ, **system.environment, "ROS_DOMAIN_ID": domain}
        nodes = tuple(node for node in system.nodes if node.wanted(values))
        with Supervisor(
            nodes, files, tmp_path / "logs", environment | {"OMP_NUM_THREADS": "1"}
        ) as supervisor:
            supervisor.wait_ready(lambda _: None, threading.Event())
            deadline = time.monotonic() + 2 * PATIENCE
            while supervisor.task_exit_code is None:
                supervisor.raise_if_died()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert supervisor.task_exit_code == 0, supervisor.task_error
    steps = list(read_transitions(tmp_path / TRANSITIONS_FILE))
    assert len(steps) == 8
    assert sum(step.reward for step in steps) >= 4, "one object, picked more than once"
    assert {step.outcome.error_code for step in steps} == {ErrorCode.OK}
    assert len({step.action.checkpoint for step in steps}) >= 2, "the weights were swapped"
    summary = json.loads((tmp_path / SUMMARY_FILE).read_text())
    assert summary["picked"] == sum(step.reward for step in steps)
    assert (summary["error_code"], summary["lost"]) == (ErrorCode.OK, 0)


# -- without nodes


def learning(out: Path, **changes) -> OnlineLearning:
    settings = OnlineConfig(save_after=3, start_after=2, updates=2)
    return OnlineLearning(replace(settings, **changes), out, DEFAULT_WORKSPACE)


def test_updates_and_saves_keep_pace_with_transitions(tmp_path):
    it = learning(tmp_path, warm_up=2)
    assert it.exploration == 1.0
    it.add(transition(0))
    assert it.owed == 0 and not it.save_due
    assert not it.add(transition(0)), "the same one again"
    it.add(transition(1))
    assert it.owed == 4 and it.exploration == 0.05
    it.add(transition(2))
    assert not it.save_due, "there is something to be learned first"
    while it.owed:
        it.update()
    assert it.save_due and it.figures.updates == 6
    it.save()
    assert not it.save_due and it.unsaved == 0
    again = learning(tmp_path)
    assert again.figures.experiences == 3 and again.figures.updates == 6
    assert again.checkpoint == it.checkpoint


def full(*_) -> None:
    raise VpgError(ErrorCode.DISK_FULL, "state.pt cannot be written: no room")


def test_what_a_full_disk_kept_from_being_saved_is_still_unsaved(tmp_path, monkeypatch):
    it = learning(tmp_path, updates=0)
    for step in range(3):
        it.add(transition(step))
    with monkeypatch.context() as patch:
        patch.setattr(online, "save_state", full)
        with pytest.raises(VpgError, match="no room"):
            it.save()
    assert it.unsaved == 3 and not it.save_due, "it is tried again, but not at once"
    for step in range(3, 6):
        it.add(transition(step))
    assert it.save_due and it.unsaved == 6
    it.save()
    assert it.unsaved == 0 and learning(tmp_path).figures.experiences == 6


def test_a_learner_saves_at_its_end_what_it_could_not_save_before(tmp_path, monkeypatch):
    with learner_and_inference(tmp_path, hand_over=False) as (cell, _, learner):
        cell.connect()
        with monkeypatch.context() as patch:
            patch.setattr(online, "save_state", full)
            for step in range(4):
                cell.publish(transition(step))
            cell.until_values(experiences="4", updates="4", unsaved="4")
            cell.until(lambda: "no room" in cell.status.message, "told of the disk")
    learner.close()
    assert load_state(tmp_path / "state.pt")["learner"]["experiences"] == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reward": math.inf}, "has the reward inf"),
        ({"action": replace(transition(1).action, primitive="juggle")}, "'juggle'"),
        ({"action": replace(transition(1).action, row=300)}, "is at pixel 300, "),
        ({"action": replace(transition(1).action, rotation=40)}, "is of rotation 40"),
        ({"after": replace(scene(9, 2.0), workspace=ELSEWHERE)}, "is of the workspace"),
    ],
)
def test_what_cannot_be_learned_from_is_named(tmp_path, changes, words):
    it = learning(tmp_path)
    with pytest.raises(VpgError, match=words) as caught:
        it.add(transition(1, **changes))
    assert caught.value.code is ErrorCode.TRANSITION_INVALID
    assert it.figures.experiences == 0


def test_learning_on_another_workspace_is_not_continued(tmp_path):
    it = learning(tmp_path)
    it.add(transition(0))
    it.save()
    with pytest.raises(VpgError, match="choose another folder") as caught:
        OnlineLearning(OnlineConfig(), tmp_path, ELSEWHERE)
    assert caught.value.code is ErrorCode.STORE_MISMATCH


def test_other_primitives_than_those_of_the_weights_are_refused(tmp_path):
    it = learning(tmp_path / "out")
    it.save()
    assert learning(tmp_path / "out", primitives=("grasp", "push")).figures.experiences == 0
    with pytest.raises(VpgError, match=r"'grasp, topple'; .* values grasp, push") as caught:
        learning(tmp_path / "out", primitives=("grasp", "topple"))
    assert caught.value.code is ErrorCode.STORE_MISMATCH
    settings = OnlineConfig(primitives=("push",))
    with pytest.raises(VpgError, match="'push'; what is in checkpoint") as caught:
        OnlineLearning(settings, tmp_path / "other", DEFAULT_WORKSPACE, it.weights)
    assert caught.value.code is ErrorCode.CHECKPOINT_MISMATCH


@pytest.mark.parametrize("content", ["junk", [1.0, 2.0]])
def test_a_damaged_state_is_one_sentence(tmp_path, content):
    torch.save(content, tmp_path / "state.pt")
    with pytest.raises(VpgError, match=r"state\.pt is damaged") as caught:
        learning(tmp_path)
    assert caught.value.code is ErrorCode.STORE_UNREADABLE


def test_where_nothing_can_be_picked_chance_does_something_else(monkeypatch):
    """Admissible pushes alone: a draw among picks does not end the table."""
    heightmap, rng = scene(100, 0.0), np.random.default_rng(0)
    grasp = primitives.get("grasp")
    nowhere = np.zeros((grasp.rotations, *DEFAULT_WORKSPACE.shape), bool)
    monkeypatch.setattr(type(grasp), "admissible", lambda self, heightmap: nowhere)
    assert explore(rng, 0.0, heightmap).action.primitive == "push"


def test_exploration_is_a_share_that_the_seed_decides():
    heightmap, policy = scene(100, 0.0), HeuristicPolicy()

    def run(seed: int, share: float) -> list:
        exploration = Exploration(seed)
        return [exploration.decide(policy, share, heightmap).action for _ in range(40)]

    assert {action.policy for action in run(0, 0.0)} == {"heuristic"}
    assert {action.policy for action in run(0, 1.0)} == {"random"}
    assert run(3, 0.5) == run(3, 0.5) != run(4, 0.5)
    assert 10 < sum(action.policy == "random" for action in run(3, 0.5)) < 30
    assert {action.primitive for action in run(0, 1.0)} == set(DEFAULT_REPERTOIRE)
