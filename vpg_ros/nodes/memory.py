"""Working memory that a process keeps."""

import contextlib
import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # mallopt(3)
_LARGEST_MMAP_THRESHOLD = 32 << 20  # bytes; glibc takes no more
_BLOCK = 16 << 20  # bytes


def keep_freed_memory(most: int = 512 << 20) -> None:
    """Have glibc keep up to ``most`` freed bytes for what comes next, of all threads together.

    By default large arrays go back to the system and are asked for again at every decision, which
    takes a tenth of its time, and the memory left over varies with the sizes that came by. Call it
    before there are threads, so before rclpy is imported: each takes an arena of its own otherwise.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        mallopt(_TRIM_THRESHOLD, most)


def reserve_memory(size: int = 128 << 20) -> None:
    """Take ``size`` bytes once, so that freed memory to be kept is there from the start.

    Arrays of many sizes, between what lives longer, leave holes that do not do for the next one.
    With room beside them the process does not grow with every hole.
    """
    blocks = [b"\1" * _BLOCK for _ in range(size // _BLOCK)]  # not of zeros, which take no memory
    del blocks
