"""The RealSense SDK, ``rs``: imported here alone, and with the libusb that it links to."""

import ctypes
from typing import Any

import libusb_package

# pyrealsense2 links to libusb-1.0.so.0, which a bare machine lacks; loaded under that name first,
# the one from PyPI serves. Where the system has its own, that one is found first and is meant.
try:
    import pyrealsense2 as rs
except ImportError:
    ctypes.CDLL(str(libusb_package.get_library_path()), ctypes.RTLD_GLOBAL)
    import pyrealsense2 as rs

Frameset = Any  # rs.composite_frame; the SDK comes without types
Device = Any  # rs.device

__all__ = ["Device", "Frameset", "rs"]
