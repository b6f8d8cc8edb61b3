"""learner_node: transitions in, better weights out, while the robot goes on.

It subscribes to ``transition`` (vpg_msgs/Transition), keeps every one, and learns in the main
thread, so that messages are taken in meanwhile. Every ``save_after`` transitions it writes replay,
weights and state into its folder, from which it continues after whatever ended it, and has
inference_node load the weights. It also tells inference_node which share of random actions it
wants. A transition that cannot be learned from is refused with one sentence and left out; a second
node in one folder is refused.
"""

import queue
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from vpg_msgs.msg import Transition as TransitionMsg

from vpg_ros.action import Transition
from vpg_ros.choices import DEVICES, HEADS
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.learning.lock import alone
from vpg_ros.learning.online import OnlineConfig, OnlineLearning
from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.calls import Interrupted
from vpg_ros.nodes.convert import transition_from_msg
from vpg_ros.nodes.learner_clients import InferenceClient
from vpg_ros.nodes.parameters import PRIMITIVES, parameter
from vpg_ros.nodes.spin import run_node
from vpg_ros.nodes.workspace_parameters import WorkspaceParameters
from vpg_ros.policy.checkpoint import SHIPPED_WEIGHTS
from vpg_ros.policy.device import choose_device
from vpg_ros.primitives import parse_repertoire
from vpg_ros.resources import resource

IDLE = 0.05  # s between two looks for something to do
# Latched as the task's topic is: what it published just before this node came up counts too.
TRANSITIONS = QoSProfile(
    depth=20,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
_DEFAULTS = OnlineConfig()


@dataclass(frozen=True)
class Parameters(WorkspaceParameters):
    """What learner_node can be told."""

    out: str = parameter(
        "folder of replay, weights and state; learning goes on from what it holds", "learning"
    )
    checkpoint: str = parameter("weights to begin with; '' takes the shipped ones", "")
    from_nothing: bool = parameter("begin with random weights instead of a checkpoint", False)
    primitives: str = parameter(
        PRIMITIVES + "that random weights begin with; '': grasp, push, or those of the weights", ""
    )
    head: str = parameter(
        "with from_nothing: what is learned of a value, its mean (scalar) or its distribution",
        _DEFAULTS.head,
        choices=HEADS,
    )
    seed: int = parameter("seed of samples and random weights", _DEFAULTS.seed, low=0)
    rate: float = parameter("learning rate of AdamW", _DEFAULTS.rate, low=1e-6, high=0.1)
    updates_per_transition: int = parameter(
        "gradient steps for each transition at most", _DEFAULTS.updates, low=0, high=1000
    )
    start_after: int = parameter(
        "transitions before the first gradient step", _DEFAULTS.start_after, low=1, high=100000
    )
    save_after: int = parameter(
        "transitions between two saves, after each of which inference_node loads the weights",
        _DEFAULTS.save_after,
        low=1,
        high=100000,
    )
    warm_up: int = parameter(
        "transitions for which all actions shall be random", _DEFAULTS.warm_up, low=0, high=100000
    )
    exploration: float = parameter(
        "share of random actions after the warm-up", _DEFAULTS.exploration, low=0.0, high=1.0
    )
    hand_over: bool = parameter("tell inference_node of weights and exploration", True)
    device: str = parameter("where the network learns", "auto", choices=DEVICES)
    threads: int = parameter("CPU threads; 0: as many as cores", 1, low=0, high=256)
    dry_run: bool = parameter("whether nothing moves, which nothing can be learned from", False)

    @property
    def online(self) -> OnlineConfig:
        """How to learn."""
        return OnlineConfig(
            self.seed,
            self.rate,
            self.updates_per_transition,
            self.start_after,
            self.save_after,
            self.warm_up,
            self.exploration,
            parse_repertoire(self.primitives) if self.primitives else (),
            self.head,
        )

    @property
    def start(self) -> Path | None:
        """The checkpoint to begin with."""
        if self.from_nothing:
            return None
        return Path(self.checkpoint) if self.checkpoint else resource(SHIPPED_WEIGHTS)


class LearnerNode(VpgNode):
    """See the module's text. The learner belongs to the main thread, which runs ``work``."""

    PARAMETERS = (Parameters,)

    def __init__(self) -> None:
        super().__init__("learner_node")
        settings = self.read_parameters(Parameters)
        require(not settings.dry_run, "dry_run is true: nothing moves, so nothing can be learned")
        if settings.threads:
            torch.set_num_threads(settings.threads)
        out = Path(settings.out).resolve()  # inference_node may run in another folder
        self._folder = ExitStack()
        self._folder.enter_context(alone(out, wait=False))
        self._learning = OnlineLearning(
            settings.online,
            out,
            settings.workspace,
            settings.start,
            choose_device(settings.device),
        )
        self._figures = self._learning.figures
        self._inference = InferenceClient(self) if settings.hand_over else None
        self._arrivals: queue.SimpleQueue[Transition] = queue.SimpleQueue()
        self._error: VpgError | None = None
        self._refused = 0
        self.create_subscription(TransitionMsg, "transition", self._receive, TRANSITIONS)
        self.report_diagnostics("learner", self._state)
        self._say(f"continues in {settings.out}" if self._figures.experiences else "begins")

    def _receive(self, message: TransitionMsg) -> None:
        """Hand a transition to the main thread; runs in a thread of the executor."""
        try:
            self._arrivals.put(transition_from_msg(message))
        except (VpgError, ValueError) as error:
            sentence = f"step {message.step} of episode {message.episode!r}: {error}"
            self._refuse(VpgError(ErrorCode.TRANSITION_INVALID, sentence))

    def _refuse(self, error: VpgError) -> None:
        self._refused += 1
        self._error = error
        self.get_logger().warning(f"transition refused: {error.sentence}")

    def work(self) -> int:
        """Take in, learn, save and hand on, until the node is stopped."""
        while not self.stop.is_set():
            self._take()
            learned = self._learning.owed > 0
            if learned:
                self._learning.update()
            if self._learning.save_due:
                self._save()
            self._figures = self._learning.figures
            self._hand_on()
            if not learned:
                self.stop.wait(IDLE)
        return 0

    def _take(self) -> None:
        """Remember what arrived."""
        while not self._arrivals.empty():
            try:
                if self._learning.add(self._arrivals.get()):
                    self._error = None
            except VpgError as error:
                self._refuse(error)

    def _save(self) -> None:
        """Save; a full disk must not end the learning."""
        try:
            self._learning.save()
        except VpgError as error:
            self._error = error
            self.get_logger().error(f"not saved: {error.sentence}")
        else:
            self._figures = self._learning.figures
            self._say("saved")

    def _hand_on(self) -> None:
        if self._inference is None:
            return
        learning = self._learning
        try:
            self._inference.tell(learning.weights, learning.checkpoint, learning.exploration)
        except Interrupted:
            return

    def _say(self, what: str) -> None:
        """Log how it goes."""
        values = ", ".join(f"{name} {value}" for name, value in self._values().items())
        self.get_logger().info(f"{what}: {values}")

    def _values(self) -> dict[str, str]:
        figures = self._figures
        return {
            "experiences": str(figures.experiences),
            "updates": str(figures.updates),
            "loss": f"{figures.loss:.4f}",
            "grasp_success": f"{figures.grasp_success:.2f}",
            "actions_per_minute": f"{figures.actions_per_minute:.1f}",
            "checkpoint": figures.checkpoint,
            "unsaved": str(self._learning.unsaved),
            "refused": str(self._refused),
        }

    def _state(self) -> tuple[VpgError | None, dict[str, str]]:
        """For the diagnostics."""
        handing = self._inference.error if self._inference is not None else None
        return self._error or handing, self._values()

    def close(self) -> None:
        """Keep what came since the last save; a learning that diverged is left as it was saved."""
        failure = self.failure
        diverged = isinstance(failure, VpgError) and failure.code is ErrorCode.LEARNING_DIVERGED
        with self._folder:  # another learner may have it then
            self._take()
            if not diverged and self._learning.unsaved:
                self._save()


def main() -> None:
    """Entry point."""
    run_node("learner_node", LearnerNode, threads=2, grace=10.0)


if __name__ == "__main__":
    main()
