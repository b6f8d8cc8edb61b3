"""From the SDK's framesets to a Frame; the same for a camera, a recording and a software device."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpg_ros.devices.realsense.rectify import pinhole, rectify
from vpg_ros.devices.realsense.sdk import Frameset, rs
from vpg_ros.devices.realsense.settings import HOLE_FILLING, NO_HOLE_FILLING, Filters
from vpg_ros.frame import Frame
from vpg_ros.geometry import Pose


@dataclass(frozen=True)
class Reading:
    """What a source delivers. frames: may be incomplete. stamp: when it was taken, s since 1970."""

    frames: Frameset
    stamp: float


def is_complete(frames: Frameset) -> bool:
    """Whether colour and depth are there and of one moment: within one frame period.

    They are not after a start, nor where a repeated recording begins anew.
    """
    colour, depth = (frames.first_or_default(kind) for kind in (rs.stream.color, rs.stream.depth))
    if not colour or not depth:
        return False
    period = 1000.0 / max(1, depth.get_profile().fps())
    return bool(abs(colour.get_timestamp() - depth.get_timestamp()) <= period)


class FrameProcessor:
    """Filters, aligns depth to colour, converts to metres, copies out of the SDK's memory.

    pose: of the colour camera's optical frame in the base frame.
    """

    def __init__(self, filters: Filters, pose: Pose) -> None:
        self._filters, self._pose = filters, pose
        self._before = _spatial(filters)
        self._after = [rs.disparity_transform(False)] if filters.disparity else []
        if filters.hole_filling != NO_HOLE_FILLING:
            self._after.append(rs.hole_filling_filter(HOLE_FILLING.index(filters.hole_filling)))
        self._after.append(rs.align(rs.stream.color))

    def process(self, readings: Iterable[Reading]) -> Frame:
        """The frame of complete readings of one scene, at least one; its stamp is the last one's.

        Their colour must be RGB8, which sources ask for.
        """
        # A new one each time: its memory of an earlier scene must not fill the holes of this one.
        temporal = _temporal(self._filters)
        for reading in readings:
            frames = _through([*self._before, *temporal], reading.frames)
            stamp = reading.stamp
        return self._frame(_through(self._after, frames), stamp)

    def _frame(self, frames: Frameset, stamp: float) -> Frame:
        """The last step: out of the SDK."""
        depth_frame = frames.get_depth_frame()
        units = np.asanyarray(depth_frame.get_data())
        depth = np.where(units == 0, np.nan, units * depth_frame.get_units()).astype(np.float32)
        intrinsics = depth_frame.profile.as_video_stream_profile().intrinsics
        rgb = np.array(frames.get_color_frame().get_data(), np.uint8)
        colour, depth = rectify(rgb, depth, intrinsics)
        return Frame(colour, depth, pinhole(intrinsics), self._pose, stamp)


def _through(filters: Iterable[Any], frames: Frameset) -> Frameset:
    """A frameset through one filter after the other; colour is carried along."""
    for each in filters:
        frames = each.process(frames).as_frameset()
    return frames


def _spatial(filters: Filters) -> list[Any]:
    """What works on a single frame, before frames are averaged."""
    chain = [rs.disparity_transform(True)] if filters.disparity else []
    if filters.spatial_magnitude > 0:
        spatial = rs.spatial_filter()
        spatial.set_option(rs.option.filter_magnitude, filters.spatial_magnitude)
        spatial.set_option(rs.option.filter_smooth_alpha, filters.spatial_alpha)
        spatial.set_option(rs.option.filter_smooth_delta, filters.spatial_delta)
        chain.append(spatial)
    return chain


def _temporal(filters: Filters) -> list[Any]:
    """What averages frames, without a memory of earlier ones."""
    if filters.temporal_frames == 1:
        return []
    temporal = rs.temporal_filter()
    temporal.set_option(rs.option.filter_smooth_alpha, filters.temporal_alpha)
    temporal.set_option(rs.option.filter_smooth_delta, filters.temporal_delta)
    temporal.set_option(rs.option.holes_fill, filters.temporal_persistence)
    return [temporal]
