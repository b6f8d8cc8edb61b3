"""inference_node as the learner sees it: it takes weights, and a share of random actions."""

import time
from pathlib import Path
from typing import Any

from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.client import Client
from vpg_msgs.srv import LoadCheckpoint

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.calls import call

_TIMEOUT = 60.0  # s of wall time for an answer: a GPU may have to be started
_RETRY = 10.0  # s between two attempts to tell what was refused or went unanswered


class InferenceClient:
    """Tells inference_node of weights and exploration, once each, and again when it came back.

    error: why it did not take what it was told last, None where it did.
    """

    def __init__(self, node: VpgNode) -> None:
        self._node = node
        self._load = node.create_client(LoadCheckpoint, "load_checkpoint")
        self._set = node.create_client(SetParameters, "inference_node/set_parameters")
        self._told: dict[Client, Any] = {}
        self._next = 0.0
        self.error: VpgError | None = None

    def tell(self, weights: Path, digest: str, exploration: float) -> None:
        """Tell it what it does not know yet; raises Interrupted when the node is stopped.

        digest: of ``weights``, "" where there are none yet.
        """
        if time.monotonic() < self._next:
            return
        try:
            if self._is_news(self._set, exploration):
                self._explore(exploration)
            if digest and self._is_news(self._load, digest):
                self._hand(weights, digest)
            self.error = None
        except VpgError as error:
            self._told.clear()  # it may have died meanwhile, and come back knowing nothing
            self._next = time.monotonic() + _RETRY
            self.error = error
            self._node.get_logger().warning(f"inference_node: {error.sentence}")

    def _is_news(self, client: Client, value: Any) -> bool:
        """Whether a node is there that was not told ``value``; one that went forgets everything."""
        if not client.service_is_ready():
            self._told.pop(client, None)
            return False
        return bool(self._told.get(client) != value)

    def _hand(self, weights: Path, digest: str) -> None:
        request = LoadCheckpoint.Request(path=str(weights))
        response = call(self._load, request, _TIMEOUT, self._node.stop)
        if response.error_code:
            raise VpgError(ErrorCode(response.error_code), response.error_msg)
        self._told[self._load] = digest
        self._node.get_logger().info(f"inference_node acts on weights {response.checkpoint}")

    def _explore(self, share: float) -> None:
        value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=share)
        request = SetParameters.Request(parameters=[Parameter(name="exploration", value=value)])
        response = call(self._set, request, _TIMEOUT, self._node.stop)
        for result in response.results:
            if not result.successful:
                sentence = f"exploration of {share} is refused: {result.reason}"
                raise VpgError(ErrorCode.PARAMETER_INVALID, sentence)
        self._told[self._set] = share
