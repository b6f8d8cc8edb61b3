"""Acting while learning: rollouts in a process of their own, one action ahead of the learner.

While the learner takes in one transition, the next action is already decided and carried out, with
the weights from before that transition. The lag is always one action, none at the first of an
episode, so a seed gives one run, however fast or slow either side is.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import torch
from numpy.typing import NDArray

from vpg_ros.action import Transition
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.learning.config import TrainingConfig
from vpg_ros.learning.learner import Learner, greedy_policy
from vpg_ros.learning.learner_config import LearnerConfig
from vpg_ros.learning.rollout import Rollout
from vpg_ros.learning.threads import one_thread
from vpg_ros.orphans import die_with_parent
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.network import Network, make_network

_DEADLINE = 300.0  # s of wall time for one action, with room for a crowded machine
_END = None  # sent by the actor after the last transition of an episode

# As arrays: tensors would go through shared memory, of which a container has little.
Weights = dict[str, NDArray[Any]]


class ActAhead:
    """A :class:`vpg_ros.learning.rollout.Source` that acts in a child process.

    Raises PROCESS_DIED when the child does or does not answer, and what acting raises.
    """

    def __init__(self, config: TrainingConfig, learner: Learner) -> None:
        self._learner = learner
        context = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads
        self._actor, theirs = context.Pipe()
        arguments = (theirs, config, learner.network.config, learner.config, os.getpid())
        self._process = context.Process(target=_act, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def episode(self, number: int, actions: int) -> Iterator[Transition]:
        """See :class:`Source`; whoever learns from a transition does so during the next action."""
        self._send((number, actions))
        self._send(self._weights())
        while (transition := self._receive()) is not _END:
            self._send(self._weights())
            yield transition

    def close(self) -> None:
        """End the child."""
        self._process.terminate()
        self._process.join()
        self._actor.close()

    def _weights(self) -> Weights:
        state = self._learner.network.state_dict()
        return {name: value.cpu().numpy().copy() for name, value in state.items()}

    def _send(self, message: Any) -> None:
        try:
            self._actor.send(message)
        except OSError as error:
            raise self._died() from error

    def _receive(self) -> Transition | None:
        if not self._actor.poll(_DEADLINE):
            sentence = f"the acting process did not finish an action within {_DEADLINE:.0f} s"
            raise VpgError(ErrorCode.PROCESS_DIED, sentence)
        try:
            message: Transition | VpgError | None = self._actor.recv()
        except (EOFError, OSError) as error:
            raise self._died() from error
        if isinstance(message, VpgError):
            raise message
        return message

    def _died(self) -> VpgError:
        self._process.join(1.0)
        return VpgError(
            ErrorCode.PROCESS_DIED,
            f"the acting process ended with exit code {self._process.exitcode}; "
            "continue the training with --resume",
        )


def _act(
    learner: Connection,
    config: TrainingConfig,
    network_config: NetworkConfig,
    learning: LearnerConfig,
    parent: int,
) -> None:
    """The child: one episode for each request, one message with weights before each action."""
    die_with_parent(signal.SIGKILL, parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the trainer's to handle
    one_thread()
    network = make_network(network_config).eval()
    rollout = Rollout(config, lambda: greedy_policy(network, torch.device("cpu"), learning))
    with suppress(EOFError, ConnectionError):  # the trainer is gone
        while True:
            episode = rollout.episode(*learner.recv())
            while _act_once(episode, network, learner):
                pass


def _act_once(episode: Iterator[Transition], network: Network, learner: Connection) -> bool:
    """One action with the weights that come; False at the episode's end."""
    weights: Weights = learner.recv()
    network.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    message: Transition | VpgError | None
    try:
        message = next(episode, _END)
    except VpgError as error:
        message = error
    learner.send(message)
    return isinstance(message, Transition)
