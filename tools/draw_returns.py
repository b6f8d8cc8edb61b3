"""Draw what weights expect of a scene: mean, spread, lower tail, and two actions' returns.

    python tools/draw_returns.py --checkpoint runs/train/weights.safetensors --out returns.png

Below the maps, the returns of the action that is chosen under a risk measure (1) and of the
runner-up (2), which would be chosen next had the first come to nothing; both are marked beside the
maps of their primitive.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from vpg_ros.action import Action
from vpg_ros.atomic import require_writable, write_atomically
from vpg_ros.choices import DEFAULT_ALPHA, RISKS, SCALAR
from vpg_ros.errors import VpgError, require
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.env import TableEnv
from vpg_ros.policy.checkpoint import load_policy
from vpg_ros.policy.network_policy import NetworkPolicy
from vpg_ros.policy.risk import DEVIATION, MEAN, make_risk
from vpg_ros.viz.overlay import PAPER, Picture
from vpg_ros.viz.returns import risk_panel, rivals_panel

Rivals = dict[int, Action]  # the chosen action is 1, the runner-up 2


def rivals(policy: NetworkPolicy, heightmap: Heightmap) -> Rivals:
    """What is chosen, and what would be had that come to nothing."""
    chosen = policy.decide(heightmap).action
    return {1: chosen, 2: policy.decide(heightmap, [chosen]).action}


def maps_picture(
    policy: NetworkPolicy, heightmap: Heightmap, share: float, actions: Rivals
) -> Picture:
    """The heightmap and a row of maps for each primitive; of actions, its own are marked."""
    tail = f"mean of the worst {share:.0%}"
    measures = {"mean": MEAN, "spread": DEVIATION, tail: make_risk("cvar", share)}
    maps = policy.full_maps(heightmap, measures)
    rows = [
        risk_panel(
            heightmap,
            {f"{name}, {what}": each.best_over_rotations(name) for what, each in maps.items()},
            {number: each for number, each in actions.items() if each.primitive == name},
        )
        for name in policy.names
    ]
    return np.vstack(rows)


def returns_picture(policy: NetworkPolicy, heightmap: Heightmap, actions: Rivals) -> Picture:
    """The returns expected of both."""
    returns = {}
    for (number, action), role in zip(actions.items(), ("chosen", "runner-up"), strict=True):
        (expected,) = policy.distributions(heightmap, [action])
        assert expected is not None
        parts = (expected.atoms.tolist(), expected.probabilities.tolist())
        returns[f"{number}, {role}: {action.primitive}"] = parts
    return rivals_panel(returns)


def options_of_command_line() -> argparse.Namespace:
    """What to draw, and where to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True, help="weights")
    parser.add_argument("--scene", default="random", help="scene family (default random)")
    parser.add_argument("--objects", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--alpha", type=float, default=DEFAULT_ALPHA, help="of the risk")
    parser.add_argument("--risk", choices=RISKS, default=MEAN.name, help="chosen by (default mean)")
    parser.add_argument(
        "--tail", type=float, default=DEFAULT_ALPHA, help="share that the maps of the tail are of"
    )
    parser.add_argument("--out", type=Path, required=True, help="picture (.png) to write")
    return parser.parse_args()


def main() -> int:
    """Draw and write the picture."""
    options = options_of_command_line()
    try:
        require(options.out.suffix == ".png", f"--out is {options.out}; it must end in .png")
        require(0.01 <= options.tail <= 1, f"--tail is {options.tail}; it must be in [0.01, 1]")
        require_writable(options.out)
        risk = make_risk(options.risk, options.alpha)
        policy = load_policy(options.checkpoint, "cpu")
        require(
            policy.config.head != SCALAR,
            f"--checkpoint is {options.checkpoint}, with a scalar head, which knows no "
            "distributions; give weights of vpg train --head categorical, quantile or implicit",
        )
        policy = policy.with_risk(risk)
        heightmap = TableEnv().reset(options.scene, options.objects, options.seed)
        actions = rivals(policy, heightmap)
        returns = returns_picture(policy, heightmap, actions)
        maps = maps_picture(policy, heightmap, options.tail, actions)
        blank = np.full((returns.shape[0], maps.shape[1] - returns.shape[1], 3), PAPER, np.uint8)
        picture = np.vstack([maps, np.hstack([returns, blank])])
        write_atomically(options.out, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
    except VpgError as error:
        print(error.sentence, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
