"""Transition ↔ the fields of vpg_msgs/Transition, as plain dictionaries and attributes."""

import struct
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vpg_ros.action import Action, Transition
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.geometry import Pose, Workspace
from vpg_ros.heightmap import Heightmap
from vpg_ros.motion import Outcome

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

BASE_FRAME = "base"
_DTYPES: dict[str, np.dtype[Any]] = {"rgb8": np.dtype(np.uint8), "32FC1": np.dtype("<f4")}


def encode(transition: Transition) -> dict[str, Any]:
    """The message's fields."""
    return {
        "header": _header(transition.after.stamp),
        "episode": transition.episode,
        "step": transition.step,
        "before": _heightmap(transition.before),
        "action": _action(transition.action, transition.before.stamp),
        "outcome": {**vars(transition.outcome), "error_code": int(transition.outcome.error_code)},
        "reward": transition.reward,
        "after": _heightmap(transition.after),
        "done": transition.done,
    }


def decode(decoder: Callable[[bytes], Any], data: bytes) -> Transition:
    """The Transition in a message's bytes; ``decoder`` makes attributes of them.

    Raises STORE_MISMATCH when a field is missing, of another type, or makes no sense.
    """
    try:
        return _to_transition(decoder(data))
    except (AttributeError, ValueError, IndexError, TypeError, struct.error) as error:
        sentence = f"a stored transition is not what this version reads: {error}"
        raise VpgError(ErrorCode.STORE_MISMATCH, sentence) from None


def nanoseconds(stamp: float) -> int:
    """Seconds as whole nanoseconds, from 0 on."""
    return max(0, round(stamp * 1e9))


def _header(stamp: float) -> dict[str, Any]:
    seconds, rest = divmod(nanoseconds(stamp), 1_000_000_000)
    return {"stamp": {"sec": seconds, "nanosec": rest}, "frame_id": BASE_FRAME}


def _heightmap(heightmap: Heightmap) -> dict[str, Any]:
    header = _header(heightmap.stamp)
    return {
        "header": header,
        "workspace": dict(vars(heightmap.workspace)),
        "color": _image(heightmap.colour, "rgb8", header),
        "height": _image(heightmap.height, "32FC1", header),
    }


def _image(pixels: NDArray[Any], encoding: str, header: dict[str, Any]) -> dict[str, Any]:
    dtype = _DTYPES[encoding]
    data = np.ascontiguousarray(pixels, dtype).tobytes()
    height, width = pixels.shape[:2]
    return {
        "header": header,
        "height": height,
        "width": width,
        "encoding": encoding,
        "is_bigendian": 0,
        "step": len(data) // height,
        "data": data,
    }


def _action(action: Action, stamp: float) -> dict[str, Any]:
    position = dict(zip("xyz", action.pose.position, strict=True))
    orientation = dict(zip("xyzw", action.pose.quaternion, strict=True))
    pose = {"position": position, "orientation": orientation}
    return {**vars(action), "header": _header(stamp), "pose": pose}


def _to_transition(message: Any) -> Transition:
    return Transition(
        before=_to_heightmap(message.before),
        action=_to_action(message.action),
        outcome=_to_outcome(message.outcome),
        after=_to_heightmap(message.after),
        **_fields(message, Transition, _TRANSITION),
    )


def _to_heightmap(message: Any) -> Heightmap:
    workspace = Workspace(**{name: getattr(message.workspace, name) for name in _WORKSPACE})
    stamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
    colour = _pixels(message.color, "rgb8", (*workspace.shape, 3))
    return Heightmap(colour, _pixels(message.height, "32FC1", workspace.shape), workspace, stamp)


def _pixels(image: Any, encoding: str, shape: tuple[int, ...]) -> NDArray[Any]:
    if image.encoding != encoding or (image.height, image.width) != shape[:2]:
        found = f"{image.height} × {image.width} {image.encoding}"
        raise ValueError(f"an image is {found}; it must be {shape[0]} × {shape[1]} {encoding}")
    dtype = _DTYPES[encoding]
    return np.frombuffer(image.data, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _to_action(message: Any) -> Action:
    position, turn = message.pose.position, message.pose.orientation
    pose = Pose((position.x, position.y, position.z), (turn.x, turn.y, turn.z, turn.w))
    return Action(pose=pose, **_fields(message, Action, _ACTION))


def _to_outcome(message: Any) -> Outcome:
    found = _fields(message, Outcome, _OUTCOME)
    return Outcome(**{**found, "error_code": ErrorCode(message.error_code)})


def _fields(
    message: Any, noun: "type[DataclassInstance]", names: tuple[str, ...]
) -> dict[str, Any]:
    """Fields of a noun that are plain; raises ValueError for one of another type."""
    found = {name: getattr(message, name, *_NEWER.get(name, ())) for name in names}
    kinds: dict[str, Any] = {each.name: each.type for each in fields(noun)}
    for name, value in found.items():
        kind = kinds[name]
        if not isinstance(value, _STORED_AS.get(kind, kind)):
            raise ValueError(f"{name} is {value!r}; it must be of type {kind.__name__}")
    return found


_WORKSPACE = tuple(Workspace.__dataclass_fields__)
# What stores of earlier versions lack, and what they mean by that.
_NEWER = {"probability": (0.0,), "accidents": (0,)}
_STORED_AS = {float: float | int, ErrorCode: int}
_TRANSITION = ("episode", "step", "reward", "done")
_ACTION = tuple(name for name in Action.__dataclass_fields__ if name != "pose")
_OUTCOME = tuple(Outcome.__dataclass_fields__)
