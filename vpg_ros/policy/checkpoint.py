"""Checkpoints: weights as safetensors, the network's configuration as JSON in its header."""

import hashlib
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise

from vpg_ros.atomic import write_atomically
from vpg_ros.errors import ErrorCode, VpgError, require
from vpg_ros.geometry import Workspace
from vpg_ros.policy.config import ActingConfig, NetworkConfig
from vpg_ros.policy.device import choose_device
from vpg_ros.policy.network import Network, make_network
from vpg_ros.policy.network_policy import NetworkPolicy

FORMAT = "vpg_ros value network 1"
METADATA_KEY = "vpg_ros"
DIGEST_LENGTH = 12
SHIPPED_WEIGHTS = "weights/default.safetensors"  # a resource of the package


def save(
    path: str | Path,
    network: Network,
    training: dict[str, Any] | None = None,
    acting: ActingConfig = ActingConfig(),  # noqa: B008
) -> str:
    """Write a network's weights and configuration; returns the file's digest.

    training: free JSON data about how the weights came about. acting: how their values are meant.
    The file appears whole or not at all: raises as ``write_atomically``.
    """
    header = {
        "format": FORMAT,
        "config": network.config.to_json(),
        "acting": asdict(acting),
        "training": training or {},
    }
    # One entry only: safetensors writes several in any order, and the digest would vary with it.
    metadata = {METADATA_KEY: json.dumps(header)}
    tensors = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    data = serialise(tensors, metadata)
    write_atomically(Path(path), data)
    return _digest(data)


def load(path: str | Path) -> tuple[Network, str]:
    """The network in a checkpoint, on the CPU, and the file's digest.

    Raises CHECKPOINT_MISSING (no such file), CHECKPOINT_CORRUPT (truncated, not a checkpoint, or
    weights that are not finite) and CHECKPOINT_MISMATCH (weights that do not fit their
    configuration, unknown primitives).
    """
    network, digest, _ = _load(Path(path))
    return network, digest


def load_to_learn(path: str | Path, acting: ActingConfig) -> tuple[Network, str]:
    """As ``load``, for a learner whose values are meant as ``acting`` says.

    Raises CHECKPOINT_MISMATCH where the checkpoint's have another value of nothing: they would be
    read as other returns than were learned.
    """
    network, digest, found = _load(Path(path))
    require(
        math.isclose(found.nothing, acting.nothing),
        f"checkpoint {path} values nothing as {found.nothing:.3g}, of returns from an accident to "
        f"a pick; this learner values it as {acting.nothing:.3g}: accident_cost must be equal",
        ErrorCode.CHECKPOINT_MISMATCH,
    )
    return network, digest


def training_of(path: Path) -> dict[str, Any]:
    """What a checkpoint says of how its weights came about; raises as ``load``."""
    metadata, _ = _read(path)
    _configs(path, metadata)
    found: dict[str, Any] = json.loads(metadata[METADATA_KEY]).get("training", {})
    return found


def _load(path: Path) -> tuple[Network, str, ActingConfig]:
    metadata, tensors = _read(path)
    broken = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if broken:
        sentence = f"checkpoint {path} holds weights that are not finite numbers: {broken[0]}"
        raise VpgError(ErrorCode.CHECKPOINT_CORRUPT, sentence)
    config, acting = _configs(path, metadata)
    network = make_network(config)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise VpgError(
            ErrorCode.CHECKPOINT_MISMATCH,
            f"checkpoint {path} holds weights of another network shape: {reason}",
        ) from error
    return network.eval(), _digest(path.read_bytes()), acting


def load_policy(
    path: str | Path, device: str = "auto", workspace: Workspace | None = None
) -> NetworkPolicy:
    """The policy in a checkpoint, ready to act on ``device`` (auto, cpu or cuda).

    workspace: what its heightmaps will cover, checked now instead of at the first decision.
    Raises as ``load``, and DEVICE_UNAVAILABLE.
    """
    target = choose_device(device)
    network, digest, acting = _load(Path(path))
    if workspace is not None:
        network.config.check_resolution(workspace.resolution)
    return NetworkPolicy(network, target, digest, acting=acting)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:DIGEST_LENGTH]


def _read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    if not path.is_file():
        raise VpgError(ErrorCode.CHECKPOINT_MISSING, f"checkpoint is {str(path)!r}: no such file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise VpgError(
            ErrorCode.CHECKPOINT_CORRUPT,
            f"checkpoint {path} is truncated or not a safetensors file ({error})",
        ) from error
    return metadata, tensors


def _configs(path: Path, metadata: dict[str, str]) -> tuple[NetworkConfig, ActingConfig]:
    if METADATA_KEY not in metadata:
        raise VpgError(
            ErrorCode.CHECKPOINT_CORRUPT,
            f"checkpoint {path} is no {FORMAT}: its header has no entry {METADATA_KEY!r}",
        )
    try:
        header = json.loads(metadata[METADATA_KEY])
        config = NetworkConfig.from_json(header["config"])
        acting = ActingConfig(**header.get("acting", {}))  # earlier versions do not name it
    except (KeyError, TypeError, ValueError) as error:
        raise VpgError(
            ErrorCode.CHECKPOINT_CORRUPT,
            f"checkpoint {path} has no readable configuration: {error!r}",
        ) from error
    config.check_primitives()
    return config, acting
