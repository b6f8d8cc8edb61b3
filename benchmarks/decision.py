"""How long a decision takes: heightmap in, action out, value maps included.

    python benchmarks/decision.py [--objects 10] [--repeats 20] [--threads 2] [--json out.json]

Tables come from the simulated camera; weights are the shipped ones, or random where these are not
there yet (the time does not depend on their values).
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from vpg_ros.choices import DEVICES
from vpg_ros.heightmap import Heightmap
from vpg_ros.heightmap.fusion import fuse
from vpg_ros.policy.checkpoint import load_policy
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.device import choose_device, fastest_dtype
from vpg_ros.policy.maps import admissible_cells
from vpg_ros.policy.network import ValueNetwork
from vpg_ros.policy.network_policy import NetworkPolicy
from vpg_ros.policy.views import canvases
from vpg_ros.sim import scenes
from vpg_ros.sim.camera import SimCamera
from vpg_ros.sim.world import World

WEIGHTS = Path(__file__).resolve().parents[1] / "weights" / "default.safetensors"


def tables(objects: int, count: int) -> list[Heightmap]:
    """Heightmaps of random tables, seeds 0 … count-1."""
    world = World()
    heightmaps = []
    for seed in range(count):
        world.reset(seed)
        scenes.build(world, "random", objects)
        heightmaps.append(fuse(SimCamera(world).read()))
    world.close()
    return heightmaps


def policy(device: str, checkpoint: Path) -> NetworkPolicy:
    """The shipped policy, or one with random weights."""
    if checkpoint.is_file():
        return load_policy(checkpoint, device)
    network = ValueNetwork(NetworkConfig.of_repertoire()).eval()
    return NetworkPolicy(network, choose_device(device))


def measure(chosen: NetworkPolicy, heightmaps: list[Heightmap], repeats: int) -> list[float]:
    """Milliseconds of each decision, after one round to warm up."""
    times = []
    for turn in range(repeats + 1):
        for heightmap in heightmaps:
            start = time.perf_counter()
            chosen.decide(heightmap)
            if turn:
                times.append(1000 * (time.perf_counter() - start))
    return times


def masks_ms(chosen: NetworkPolicy, heightmap: Heightmap) -> float:
    """Milliseconds that the admissibility masks take, best of five."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        admissible_cells(heightmap, chosen.config.names, chosen.config.cell)
        times.append(1000 * (time.perf_counter() - start))
    return min(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=10, help="objects on each table")
    parser.add_argument("--tables", type=int, default=5, help="different tables")
    parser.add_argument("--repeats", type=int, default=10, help="decisions on each table")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--checkpoint", type=Path, default=WEIGHTS)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    chosen = policy(options.device, options.checkpoint)
    heightmaps = tables(options.objects, options.tables)
    times = np.array(measure(chosen, heightmaps, options.repeats))
    view = canvases(heightmaps[0], chosen.config.cell)[0]
    figures = {
        "objects": options.objects,
        "threads": options.threads,
        "device": str(choose_device(options.device)),
        "dtype": str(fastest_dtype(choose_device(options.device))),
        "canvas_cells": [view.rows, view.columns],
        "median_ms": float(np.median(times)),
        "p90_ms": float(np.percentile(times, 90)),
        "max_ms": float(times.max()),
        "masks_ms": masks_ms(chosen, heightmaps[0]),
        "decisions": len(times),
    }
    table = Table("figure", "value", title="One decision")
    for name, value in figures.items():
        table.add_row(name, f"{value:.1f}" if isinstance(value, float) else str(value))
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
