"""inference_node: heightmap in, chosen action out.

Service ``select`` (vpg_msgs/Select) answers with the policy's action; the action, the value maps
(``value_maps/<primitive>``, best over rotations) and an overlay picture are published as well.
Service ``load_checkpoint`` (vpg_msgs/LoadCheckpoint) replaces the weights: requests in progress
finish with the old ones, none is dropped, and on an error the old ones stay. Parameters
``exploration``, a share of random actions, and ``risk`` and ``alpha``, what the network values
actions by, may be set while the node runs; the next decision heeds them.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.publisher import Publisher
from sensor_msgs.msg import Image
from vpg_msgs.msg import PrimitiveAction
from vpg_msgs.srv import LoadCheckpoint, Select

from vpg_ros.action import Action
from vpg_ros.choices import (
    ALPHAS,
    DEFAULT_ALPHA,
    DEVICES,
    POLICIES,
    RISKS,
    STRATEGIES,
    require_chooser_knows,
)
from vpg_ros.devices import grippers
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import DEFAULT_WORKSPACE, Workspace
from vpg_ros.heightmap import Heightmap
from vpg_ros.heightmap.heightmap import OBJECT_HEIGHT
from vpg_ros.nodes.abilities import check_abilities
from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.convert import (
    action_from_msg,
    action_to_msg,
    heightmap_from_msg,
    image_to_msg,
)
from vpg_ros.nodes.memory import reserve_memory
from vpg_ros.nodes.parameters import PRIMITIVES, parameter
from vpg_ros.nodes.qos import LATCHED
from vpg_ros.nodes.spin import run_node
from vpg_ros.policy import Decision, HeuristicPolicy, Policy, RandomPolicy
from vpg_ros.policy.checkpoint import SHIPPED_WEIGHTS, load_policy
from vpg_ros.policy.exploration import Exploration
from vpg_ros.policy.network_policy import NetworkPolicy
from vpg_ros.policy.risk import MEAN, RiskMeasure, make_risk
from vpg_ros.policy.strategy import check_chooser
from vpg_ros.primitives import parse_repertoire
from vpg_ros.resources import resource
from vpg_ros.viz.overlay import action_overlay

# Torch reports a device without memory, among others, by a RuntimeError.
_EXPECTED = (VpgError, RuntimeError, MemoryError)


@dataclass(frozen=True)
class Parameters:
    """What inference_node can be told."""

    policy: str = parameter(
        "who chooses: the network, or a baseline",
        "network",
        choices=POLICIES,
    )
    checkpoint: str = parameter("weights of the network; '' takes the shipped ones", "")
    primitives: str = parameter(
        PRIMITIVES + "to choose from; '': what the checkpoint values, or grasp, push without one",
        "",
    )
    gripper: str = parameter(
        "gripper at the arm: primitives that it cannot carry out are refused; '': none are",
        "",
        choices=("", *grippers.NAMES),
    )
    device: str = parameter(
        "where the network runs; auto: CUDA where present",
        "auto",
        choices=DEVICES,
    )
    seed: int = parameter("seed of the random policy and of exploration", 0, low=0)
    exploration: float = parameter(
        "share of random actions", 0.0, low=0.0, high=1.0, changeable=True
    )
    risk: str = parameter(
        "what the network values actions by; all but the mean need a distributional head",
        MEAN.name,
        choices=tuple(RISKS),
        changeable=True,
    )
    alpha: float = parameter(
        "of the risk: the share of worst returns that counts (cvar, var), or how careful to be",
        DEFAULT_ALPHA,
        low=ALPHAS[0],
        high=ALPHAS[1],
        changeable=True,
    )
    strategy: str = parameter(
        "how the network chooses: flat, over all primitives' pixels at once; hierarchical, the "
        "primitive first; '': as its weights were trained",
        "",
        choices=("", *STRATEGIES),
    )
    threads: int = parameter("CPU threads of the network; 0: as many as cores", 0, low=0, high=256)
    resolution: float = parameter(
        "m per pixel of the heightmaps that will come, checked against the weights at the start",
        DEFAULT_WORKSPACE.resolution,
        name="workspace.resolution",
        low=1e-4,
        high=0.1,
    )

    @property
    def workspace(self) -> Workspace:
        """The default one at that resolution."""
        return replace(DEFAULT_WORKSPACE, resolution=self.resolution)


class InferenceNode(VpgNode):
    """See the module's text."""

    PARAMETERS = (Parameters,)

    def __init__(self) -> None:
        super().__init__("inference_node")
        self._settings = self.read_parameters(Parameters, self._check)
        if self._settings.threads:
            torch.set_num_threads(self._settings.threads)
        self._policy = self._first_policy()
        self._check_gripper(self._repertoire)
        self._under(self._risk(), self._policy)
        self._exploration = Exploration(self._settings.seed)
        # One thread for all decisions: torch keeps working memory for every thread that calls it.
        self._decider = _thread()
        self._decider.submit(self._warm_up).result()
        self._action = self.create_publisher(PrimitiveAction, "action", LATCHED)
        self._overlay = self.create_publisher(Image, "overlay", LATCHED)
        self._maps = {name: self._map_publisher(name) for name in self._repertoire}
        # Loading has a group of its own: requests are served with the old weights meanwhile.
        selecting, loading = MutuallyExclusiveCallbackGroup(), MutuallyExclusiveCallbackGroup()
        self.create_service(Select, "select", self._select, callback_group=selecting)
        self.create_service(LoadCheckpoint, "load_checkpoint", self._load, callback_group=loading)

    def _map_publisher(self, primitive: str) -> Publisher:
        return self.create_publisher(Image, f"value_maps/{primitive}", LATCHED)

    def _first_policy(self) -> Policy:
        """The policy that the parameters name; raises the checkpoint errors."""
        seed, checkpoint = self._settings.seed, self._settings.checkpoint
        check_chooser(self._settings.policy, self._settings.strategy)
        makers: dict[str, Callable[[], Policy]] = {
            "heuristic": HeuristicPolicy,
            "random": lambda: RandomPolicy(seed, parse_repertoire(self._settings.primitives)),
            "network": lambda: self._network(
                Path(checkpoint) if checkpoint else resource(SHIPPED_WEIGHTS)
            ),
        }
        return makers[self._settings.policy]()

    def _warm_up(self) -> None:
        """Take the working memory that there will be, and plan the convolutions."""
        if isinstance(self._policy, NetworkPolicy):
            reserve_memory()
            self._policy.maps(_covered(self._settings.workspace))

    def _network(self, path: Path) -> NetworkPolicy:
        """The network in a checkpoint."""
        policy = load_policy(path, self._settings.device, self._settings.workspace)
        chosen = policy.restricted_to(parse_repertoire(self._settings.primitives, policy.names))
        return chosen.with_strategy(self._settings.strategy)

    @property
    def _repertoire(self) -> tuple[str, ...]:
        """What is chosen from, at random too; a heuristic that only grasps explores more."""
        known = self._policy.names if isinstance(self._policy, NetworkPolicy) else None
        return known or parse_repertoire(self._settings.primitives)

    def _check_gripper(self, names: tuple[str, ...]) -> None:
        """Raise PARAMETER_INVALID for a primitive that the gripper cannot carry out."""
        if self._settings.gripper:
            check_abilities(self._settings.gripper, names)

    def _select(self, request: Select.Request, response: Select.Response) -> Select.Response:
        """Serve ``select``; whatever goes wrong is answered, never raised."""
        start = time.perf_counter()
        try:
            heightmap = heightmap_from_msg(request.heightmap)
            tried = [action_from_msg(each) for each in request.tried]
            decision = self._decider.submit(self._decide, heightmap, tried).result()
            response.action = action_to_msg(decision.action, heightmap.stamp)
            response.decision_ms = (time.perf_counter() - start) * 1e3
            self._action.publish(response.action)
            self._publish_later(heightmap, decision)
        except _EXPECTED as error:
            self._answer(response, error, f"the {self._policy.name} policy failed")
            if not isinstance(error, VpgError):
                self._renew_thread()
        return response

    def _decide(self, heightmap: Heightmap, tried: list[Action]) -> Decision:
        """The decision of the policy there is now under the risk there is now, or a random one."""
        share = float(self.get_parameter("exploration").value)
        policy = self._under(self._risk(), self._policy)
        return self._exploration.decide(policy, share, heightmap, tried, self._repertoire)

    def _renew_thread(self) -> None:
        """Decide in another thread from now on.

        oneDNN remembers, in the thread that it happened in and for good, that it could not have
        memory for the code it makes, and fails there again when there is memory.
        """
        self._decider.shutdown(wait=False)
        self._decider = _thread()

    def _risk(self, changes: Mapping[str, Any] | None = None) -> RiskMeasure:
        """The measure that the parameters name, with changes to them; raises PARAMETER_INVALID."""
        names = ("risk", "alpha")
        values = {name: self.get_parameter(name).value for name in names} | dict(changes or {})
        return make_risk(values["risk"], values["alpha"])

    def _under(self, risk: RiskMeasure, policy: Policy) -> Policy:
        """The policy under a risk measure; raises PARAMETER_INVALID where it knows no such."""
        if isinstance(policy, NetworkPolicy):
            return policy.with_risk(risk)
        require_chooser_knows(policy.name, risk.name)
        return policy

    def _check(self, changes: Mapping[str, Any]) -> None:
        """Refuse a risk that the policy does not know, or an alpha that the risk does not take."""
        self._under(self._risk(changes), self._policy)

    def _answer(
        self, response: Select.Response | LoadCheckpoint.Response, error: Exception, what: str
    ) -> None:
        """Say in the response what went wrong."""
        if not isinstance(error, VpgError):
            error = VpgError(ErrorCode.DEVICE_UNAVAILABLE, f"{what}: {error}")
            self.get_logger().error(error.message)
        response.error_code, response.error_msg = int(error.code), error.message

    def _publish_later(self, heightmap: Heightmap, decision: Decision) -> None:
        """Publish the pictures without holding up the response."""
        if self.executor is not None:
            self.executor.create_task(self._publish_pictures, heightmap, decision)

    def _publish_pictures(self, heightmap: Heightmap, decision: Decision) -> None:
        best = {name: decision.maps.best_over_rotations(name) for name in decision.maps.values}
        for name in best.keys() - self._maps.keys():  # weights that were loaded later value more
            self._maps[name] = self._map_publisher(name)
        nothing = np.full_like(next(iter(best.values())), np.nan)
        for name, publisher in self._maps.items():
            # What was not looked at has no value, rather than that of the table before.
            publisher.publish(image_to_msg(best.get(name, nothing), heightmap.stamp))
        overlay = action_overlay(heightmap, decision.action, decision.maps)
        self._overlay.publish(image_to_msg(overlay, heightmap.stamp))

    def _load(
        self, request: LoadCheckpoint.Request, response: LoadCheckpoint.Response
    ) -> LoadCheckpoint.Response:
        """Serve ``load_checkpoint``: build the new policy, then swap in one assignment."""
        try:
            policy = self._network(Path(request.path))
            self._check_gripper(policy.names)
            self._under(self._risk(), policy)
            self._policy = policy
        except _EXPECTED as error:
            self._answer(response, error, f"checkpoint {request.path} cannot be loaded")
        response.checkpoint = self._policy.checkpoint
        return response


def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "decide")


def _covered(workspace: Workspace) -> Heightmap:
    """A heightmap that is covered all over: no scene is larger."""
    height = np.full(workspace.shape, 2 * OBJECT_HEIGHT, np.float32)
    return Heightmap(np.zeros((*workspace.shape, 3), np.uint8), height, workspace)


def main() -> None:
    """Entry point."""
    run_node("inference_node", InferenceNode, threads=2)


if __name__ == "__main__":
    main()
