"""Names that a user chooses from, where importing what they stand for would take seconds."""

import pkgutil
from pathlib import Path

from vpg_ros.errors import require

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
# Risk measures, each with the least and the largest alpha. Less of a distribution than a millionth
# is not told from others in float32.
RISKS = {
    "mean": (-10.0, 10.0),  # which does not heed it
    "cvar": (1e-6, 1.0),
    "var": (1e-6, 1.0),
    "wang": (-10.0, 10.0),
    "power": (-10.0, 10.0),
    "mean_std": (0.0, 10.0),
}
DEFAULT_RISK, DEFAULT_ALPHA = "mean", 0.25
ALPHAS = (min(low for low, _ in RISKS.values()), max(high for _, high in RISKS.values()))
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


def require_chooser_knows(policy: str, risk: str) -> None:
    """Raise PARAMETER_INVALID for a policy that is asked for a risk measure it does not know."""
    require(
        policy == POLICIES[0] or risk == DEFAULT_RISK,
        f"risk is {risk!r}; the {policy} policy knows no risk, leave it at {DEFAULT_RISK}",
    )


def require_risk(risk: str, alpha: float) -> None:
    """Raise PARAMETER_INVALID unless there is such a risk measure, and it takes the alpha."""
    require(risk in RISKS, f"risk is {risk!r}; it must be one of {', '.join(RISKS)}")
    low, high = RISKS[risk]
    require(
        low <= alpha <= high,
        f"alpha is {alpha}; for the risk {risk!r} it must be in [{low:g}, {high:g}]",
    )
