"""Nodes with a device behind them, as managed nodes (ROS 2 design, "Managed nodes").

A device is connected when its node is configured, used while the node is active, and let go of when
the node is cleaned up. ``ros2 lifecycle set`` and lifecycle managers lead the node through that;
with the parameter ``autostart``, as by default, it goes all the way by itself.
"""

import threading
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNodeMixin, LifecycleState, TransitionCallbackReturn

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.parameters import parameter

T = TypeVar("T")

UNCONFIGURED, INACTIVE, ACTIVATING, ACTIVE = "unconfigured", "inactive", "activating", "active"


@dataclass(frozen=True)
class _Parameters:
    autostart: bool = parameter(
        "configure and activate by itself; false: wait for a lifecycle manager", True
    )


class ManagedNode(LifecycleNodeMixin, VpgNode):
    """A node with a device; ``trouble`` is why its last transition failed, None where it did not.

    A failed transition leaves the node in the state that it was in. Where that happens by itself,
    with ``autostart``, the process ends with the sentence and its code.
    """

    PARAMETERS: ClassVar[tuple[type, ...]] = (_Parameters,)

    def __init__(self, name: str) -> None:
        VpgNode.__init__(self, name)
        self.trouble: VpgError | None = None
        self._offered = False
        self._changing = threading.RLock()
        self._autostart = self.read_parameters(_Parameters).autostart
        LifecycleNodeMixin.__init__(self, callback_group=MutuallyExclusiveCallbackGroup())
        change = self._service_change_state
        change.callback = self._guarded(change.callback)

    @abstractmethod
    def connect(self) -> None:
        """Configure: connect the device; raises why it cannot be."""

    @abstractmethod
    def release(self) -> None:
        """Clean up: let go of the device; nothing happens without one."""

    @abstractmethod
    def offer(self) -> None:
        """Create what others may ask of the node; called once, when it is first active.

        Not before, so that whoever waits for a service waits for a device that works.
        """

    def begin(self) -> None:
        """Activate: begin to use the device."""

    def pause(self) -> None:
        """Deactivate: stop using the device; it stays connected."""

    @property
    def state(self) -> str:
        """Where the node is in its life: ``unconfigured``, ``inactive``, ``active`` or between."""
        return str(self._state_machine.current_state[1])

    def in_use(self, device: T | None) -> T:
        """``device``; raises NODE_NOT_AVAILABLE unless there is one and the node is active."""
        if device is None or self.state not in (ACTIVATING, ACTIVE):
            sentence = f"{self.get_name()} is {self.state}; it serves nobody unless it is active"
            raise VpgError(ErrorCode.NODE_NOT_AVAILABLE, sentence)
        return device

    def start(self) -> None:
        """With ``autostart``, become active; raises why the node cannot be."""
        if not self._autostart:
            return
        with self._changing:
            if self.state == UNCONFIGURED:
                self._require(self.trigger_configure())
            if self.state == INACTIVE:
                self._require(self.trigger_activate())

    def close(self) -> None:
        """Let go of the device, whatever the state."""
        self.release()

    def destroy_node(self) -> None:
        """As Node's, with what rclpy forgets: it would keep the node in the graph for 20 s."""
        self._state_machine.destroy_when_not_in_use()
        super().destroy_node()

    def on_configure(self, _: LifecycleState) -> TransitionCallbackReturn:
        """See :meth:`connect`."""
        return self._attempt(self.connect)

    def on_activate(self, _: LifecycleState) -> TransitionCallbackReturn:
        """See :meth:`begin` and :meth:`offer`."""
        return self._attempt(self._begin)

    def on_deactivate(self, _: LifecycleState) -> TransitionCallbackReturn:
        """See :meth:`pause`."""
        return self._attempt(self.pause)

    def on_cleanup(self, _: LifecycleState) -> TransitionCallbackReturn:
        """See :meth:`release`."""
        return self._attempt(self.release)

    def on_shutdown(self, _: LifecycleState) -> TransitionCallbackReturn:
        """End the process in an orderly way."""
        return self._attempt(self.stop.set)

    def _begin(self) -> None:
        self.begin()
        if not self._offered:
            self._offered = True
            self.offer()

    def _attempt(self, action: Callable[[], None]) -> TransitionCallbackReturn:
        """What a transition comes to; an unexpected error is a defect, which ends the node."""
        self.trouble = None
        try:
            action()
        except VpgError as error:
            self.trouble = error
            if not self.stop.is_set():
                self.get_logger().error(error.sentence)
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            self.fail(error)
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    def _require(self, result: TransitionCallbackReturn) -> None:
        """Raise what made a transition fail."""
        if result is not TransitionCallbackReturn.SUCCESS:
            raise self.trouble or self.failure or RuntimeError(f"{self.get_name()}: {result}")

    def _guarded(self, change: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """``change``, but one that the state does not have is refused.

        rclpy would let it raise in the executor, which would end the node.
        """

        def guarded(request: Any, response: Any) -> Any:
            with self._changing:
                try:
                    return change(request, response)
                except RuntimeError as error:
                    self.get_logger().warning(f"refused while {self.state}: {error}")
                    response.success = False
                    return response

        return guarded
