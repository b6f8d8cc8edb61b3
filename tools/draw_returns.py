"""Draw what weights expect of a scene: mean, spread, lower tail, and two actions' returns.

    python tools/draw_returns.py --checkpoint runs/train/weights.safetensors --out returns.png

Below the maps, the returns of the action that is chosen under a risk measure and of the runner-up,
which would be chosen next had the first come to nothing.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

from vpg_ros.atomic import require_writable, write_atomically
from vpg_ros.choices import RISKS
from vpg_ros.errors import VpgError, require
from vpg_ros.heightmap import Heightmap
from vpg_ros.learning.env import TableEnv
from vpg_ros.policy.checkpoint import load_policy
from vpg_ros.policy.network_policy import NetworkPolicy
from vpg_ros.policy.risk import DEFAULT_ALPHA, DEVIATION, MEAN, make_risk
from vpg_ros.viz.overlay import PAPER, Picture
from vpg_ros.viz.returns import risk_panel, rivals_panel


def maps_picture(policy: NetworkPolicy, heightmap: Heightmap, alpha: float) -> Picture:
    """The heightmap and a row of maps for each primitive."""
    tail = f"mean of the worst {alpha:.0%}"
    measures = {"mean": MEAN, "spread": DEVIATION, tail: make_risk("cvar", alpha)}
    maps = policy.full_maps(heightmap, measures)
    rows = [
        risk_panel(
            heightmap,
            {f"{name}, {what}": each.best_over_rotations(name) for what, each in maps.items()},
        )
        for name in policy.names
    ]
    return np.vstack(rows)


def rivals_picture(policy: NetworkPolicy, heightmap: Heightmap) -> Picture:
    """The returns of the chosen action and of the runner-up."""
    chosen = policy.decide(heightmap).action
    runner_up = policy.decide(heightmap, [chosen]).action
    returns = {}
    for title, action in (("chosen", chosen), ("runner-up", runner_up)):
        (expected,) = policy.distributions(heightmap, [action])
        require(expected is not None, "checkpoint has a scalar head, which knows no distributions")
        assert expected is not None
        parts = (expected.atoms.tolist(), expected.probabilities.tolist())
        returns[f"{title}: {action.primitive} at {action.row}, {action.column}"] = parts
    return rivals_panel(returns)


def options_of_command_line() -> argparse.Namespace:
    """What to draw, and where to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True, help="weights")
    parser.add_argument("--scene", default="random", help="scene family (default random)")
    parser.add_argument("--objects", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--alpha", type=float, default=DEFAULT_ALPHA, help="of risk and tail")
    parser.add_argument("--risk", choices=RISKS, default=MEAN.name, help="chosen by (default mean)")
    parser.add_argument("--out", type=Path, required=True, help="picture (.png) to write")
    return parser.parse_args()


def main() -> int:
    """Draw and write the picture."""
    options = options_of_command_line()
    try:
        require(options.out.suffix == ".png", f"--out is {options.out}; it must end in .png")
        require_writable(options.out)
        risk = make_risk(options.risk, options.alpha)
        policy = load_policy(options.checkpoint, "cpu").with_risk(risk)
        heightmap = TableEnv().reset(options.scene, options.objects, options.seed)
        rivals = rivals_picture(policy, heightmap)
        maps = maps_picture(policy, heightmap, options.alpha)
        blank = np.full((rivals.shape[0], maps.shape[1] - rivals.shape[1], 3), PAPER, np.uint8)
        picture = np.vstack([maps, np.hstack([rivals, blank])])
        write_atomically(options.out, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
    except VpgError as error:
        print(error.sentence, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
