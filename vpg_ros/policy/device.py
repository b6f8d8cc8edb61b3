"""Where tensors live."""

from collections.abc import Callable

import torch
from torch import Tensor

from vpg_ros.choices import DEVICES
from vpg_ros.errors import ErrorCode, VpgError, require


def choose_device(name: str = "auto") -> torch.device:
    """The torch device for ``auto`` (CUDA where present), ``cpu`` or ``cuda``.

    Raises PARAMETER_INVALID for another name and DEVICE_UNAVAILABLE for a CUDA device that is
    not there.
    """
    require(name in DEVICES, f"device is {name!r}; it must be one of {', '.join(DEVICES)}")
    if name == "cuda" and not torch.cuda.is_available():
        raise VpgError(
            ErrorCode.DEVICE_UNAVAILABLE,
            "device is 'cuda', but torch finds no CUDA GPU here; use 'cpu' or 'auto'",
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def fastest_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it natively, else float32."""
    if device.type == "cuda":
        return (
            torch.bfloat16
            if torch.cuda.is_bf16_supported(including_emulation=False)
            else (torch.float32)
        )
    native = "amx_bf16" in _cpu_flags() or "avx512_bf16" in _cpu_flags()
    return torch.bfloat16 if native else torch.float32


def autocast(device: torch.device) -> torch.autocast:
    """Convolutions in the fastest number format; weights and their gradients stay float32."""
    low = fastest_dtype(device)
    return torch.autocast(device.type, low, enabled=low is torch.bfloat16)


def seen_fast(convolve: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """What convolutions make of N×C×H×W inputs, channels last under ``autocast``, as float32."""
    with autocast(inputs.device):
        seen = convolve(inputs.contiguous(memory_format=torch.channels_last))
    return seen.float()


def _cpu_flags() -> set[str]:
    """Instruction-set flags of this CPU; empty where the system does not list them."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            line = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return set()
    return set(line.split())
