"""The figures of an evaluation, by the definitions of Zeng et al. (2018), with their intervals.

A run is completed when every object was picked, or what else its scene asks for was reached.
Completion is the share of runs completed. The original takes grasp success and action efficiency
from completed runs alone, which flatters a policy that completes few; both are therefore given over
all runs as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any

from scipy.stats import binomtest, chi2, norm

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Run:
    """One table, from full to clear or given up; a function of case and seed but for its times.

    case: name of the arrangement. objects: on the table at the start. picked, lost: objects that
    ended in the bin, and elsewhere outside the tray. grasps, grasp_successes: attempts to pick,
    and those that took an object off the table. decision_ms: median. solved: whether the end that
    the scene asks for was reached, None where that is to pick everything. accidents: losses, of
    objects among them.
    """

    case: str
    seed: int
    objects: int
    picked: int
    lost: int
    actions: int
    grasps: int
    grasp_successes: int
    decision_ms: float
    solved: bool | None = None
    accidents: int = 0

    @staticmethod
    def read(content: Mapping[str, Any], **changes: Any) -> "Run":
        """The run in JSON, which may say more of it, with other values of some fields."""
        names = Run.__dataclass_fields__.keys() & content.keys()
        return Run(**{name: content[name] for name in names} | changes)

    @property
    def completed(self) -> bool:
        """Whether every object was picked and none lost, or the scene's other end was reached."""
        if self.solved is not None:
            return self.solved
        return self.picked == self.objects and self.lost == 0


@dataclass(frozen=True)
class Figure:
    """A figure of ``trials`` and its 95 % interval; all None without trials.

    low, high: of a share Wilson's interval, unless what made it says otherwise. Exact in its
    assumptions for completion, where the trials are runs. For grasp success and efficiency they are
    grasps or actions of all runs concerned: those of one run depend on each other, so that the true
    interval is wider.
    """

    value: float | None
    low: float | None
    high: float | None
    trials: int


def figure(value: float, trials: int) -> Figure:
    """``value``, a share of ``trials`` outcomes, with Wilson's interval."""
    if trials == 0:
        return Figure(None, None, None, 0)
    share = min(1.0, value)  # two objects in one grasp can exceed one
    return Figure(value, *wilson(share, trials), trials)


def wilson(share: float, count: float) -> tuple[float, float]:
    """Wilson's interval of a share of ``count`` outcomes, of which neither need be whole."""
    z2 = float(norm.ppf((1 + CONFIDENCE) / 2)) ** 2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = (z2 * (share * (1 - share) / count + z2 / (4 * count**2))) ** 0.5 / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def completion(runs: Sequence[Run]) -> Figure:
    """Share of runs in which every object was picked."""
    return _pooled([(int(run.completed), 1) for run in runs])


def accidents(runs: Sequence[Run]) -> Figure:
    """Accidents a run, with the exact interval of a Poisson rate (Garwood 1936); trials: runs."""
    count, trials = sum(run.accidents for run in runs), len(runs)
    if trials == 0:
        return Figure(None, None, None, 0)
    tail = (1 - CONFIDENCE) / 2
    low = chi2.ppf(tail, 2 * count) / 2 if count else 0.0
    high = chi2.ppf(1 - tail, 2 * count + 2) / 2
    return Figure(count / trials, float(low) / trials, float(high) / trials, trials)


def by_original(runs: Sequence[Run]) -> dict[str, Figure]:
    """The three figures as the original computes them: ratios are means over completed runs."""
    completed = [run for run in runs if run.completed]
    return {
        "completion": completion(runs),
        "grasp_success": _mean([_grasps(run) for run in completed]),
        "action_efficiency": _mean([_actions(run) for run in completed]),
    }


def over_all(runs: Sequence[Run]) -> dict[str, Figure]:
    """The three figures with failed runs included: of all grasps and all actions there were."""
    return {
        "completion": completion(runs),
        "grasp_success": _pooled([_grasps(run) for run in runs]),
        "action_efficiency": _pooled([_actions(run) for run in runs]),
    }


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """All figures, of all runs and of each case, and the runs themselves; plain JSON types."""
    names = list(dict.fromkeys(run.case for run in runs))
    by_case = {name: [run for run in runs if run.case == name] for name in names}
    return {
        **_of(runs),
        "cases": [{"name": name, "runs": len(each), **_of(each)} for name, each in by_case.items()],
        "runs": [{**asdict(run), "completed": run.completed} for run in runs],
    }


def mcnemar(first: Sequence[Run], second: Sequence[Run]) -> float:
    """Two-sided p-value that two policies complete equally many runs (McNemar's test, exact).

    Of the tables that both played.
    """
    pairs = [(ours.completed, theirs.completed) for ours, theirs in same_tables(first, second)]
    won, lost = pairs.count((True, False)), pairs.count((False, True))
    return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0


def same_tables(first: Sequence[Run], second: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Runs paired by case and seed, which give both the same table; others are left out."""
    other = {(run.case, run.seed): run for run in second}
    return [(run, other[run.case, run.seed]) for run in first if (run.case, run.seed) in other]


def _of(runs: Sequence[Run]) -> dict[str, Any]:
    counts = ("picked", "lost", "actions", "grasps", "grasp_successes")
    return {
        **{name: asdict(each) for name, each in by_original(runs).items()},
        "all_runs": {name: asdict(each) for name, each in over_all(runs).items()},
        **{name: sum(getattr(run, name) for run in runs) for name in counts},
        "accidents": asdict(accidents(runs)),
        "decision_ms": median(run.decision_ms for run in runs) if runs else None,
    }


def _grasps(run: Run) -> tuple[int, int]:
    return run.grasp_successes, run.grasps


def _actions(run: Run) -> tuple[int, int]:
    return run.picked, run.actions


def _pooled(ratios: Sequence[tuple[int, int]]) -> Figure:
    """Of all outcomes together."""
    trials = sum(total for _, total in ratios)
    return figure(sum(part for part, _ in ratios) / max(1, trials), trials)


def _mean(ratios: Sequence[tuple[int, int]]) -> Figure:
    """Every run that tried counts the same, however many actions it took."""
    shares = [part / total for part, total in ratios if total]
    return figure(fmean(shares) if shares else 0.0, sum(total for _, total in ratios))
