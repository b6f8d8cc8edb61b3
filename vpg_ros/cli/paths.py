"""Whether a training can be written where it is told to be."""

from pathlib import Path

from vpg_ros.atomic import make_out, require_writable


def check_paths(out: Path, json: Path | None) -> None:
    """Make the folder ``out``; raise now what could not be written there or to ``json`` later."""
    make_out(out)
    require_writable(out / "weights.safetensors")
    if json:
        require_writable(json)
