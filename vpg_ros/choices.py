"""Names that a user chooses from, where importing what they stand for would take seconds."""

import pkgutil
from pathlib import Path

POLICIES = ("network", "heuristic", "random")
DEVICES = ("auto", "cpu", "cuda")  # auto: CUDA where present
SCALAR = "scalar"
HEADS = (SCALAR, "categorical", "quantile", "implicit")
TRUNKS = ("shared", "separate")
FLAT, HIERARCHICAL = "flat", "hierarchical"
STRATEGIES = (FLAT, HIERARCHICAL)
# What can be compared, each with its trunks and its strategy.
DESIGNS = {
    "flat-separate": ("separate", FLAT),
    "flat-shared": ("shared", FLAT),
    "hierarchical": ("separate", HIERARCHICAL),
    "hierarchical-shared": ("shared", HIERARCHICAL),
}
SCHEDULES = ("joint", "staged")  # of the two levels of a hierarchical strategy
CAMERAS = ("perspective", "ortho")  # noisy and fused as on the robot, or exact maps
TASKS = ("clear", "scene")  # clear the table, or do what the scene asks for
RISKS = ("mean", "cvar", "var", "wang", "power", "mean_std")
DATASETS = ("random", "scripted", "mixed", "expert", "expert-no-push", "replay")
OFFLINE_VARIANTS = (
    *("plain", "few-pushes", "half-pushes", "short-sighted", "far-sighted", "not-conservative"),
    *("less-conservative", "push-reward", "no-augmentation", "all-at-once", "distributional"),
    "cautious",
)
# The modules that define them, each named as its algorithm is.
_ALGORITHMS = Path(__file__).parent / "learning" / "offline" / "algorithms"
OFFLINE_ALGORITHMS = tuple(
    sorted(each.name.replace("_", "-") for each in pkgutil.iter_modules([str(_ALGORITHMS)]))
)
