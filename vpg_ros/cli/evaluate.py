"""``vpg evaluate``: let a frozen policy clear tables in simulation and count."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpg_ros.choices import (
    CAMERAS,
    DEFAULT_ALPHA,
    DEFAULT_RISK,
    POLICIES,
    RISKS,
    STRATEGIES,
    require_risk,
)
from vpg_ros.cli.bar import progress_bar
from vpg_ros.errors import require

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table

    from vpg_ros.learning.evaluation import Evaluation
    from vpg_ros.learning.figures import Run

    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_FIGURES = ("completion", "grasp_success", "action_efficiency")


def add_parser(subparsers: "Subparsers") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure a policy in simulation",
        description="Let a frozen policy clear simulated tables and report completion, grasp "
        "success and action efficiency as Zeng et al. (2018) define them, with 95 % intervals. "
        "With --json, every run is kept as it ends, and the same command continues after a kill.",
    )
    parser.add_argument(
        "--checkpoint", type=Path, help="weights of a training (default: the shipped ones)"
    )
    parser.add_argument("--policy", choices=POLICIES, default="network")
    parser.add_argument(
        "--primitives",
        nargs="+",
        metavar="NAME",
        help="choose from these alone: 'grasp' is the grasp-only baseline (default: what the "
        "checkpoint values; grasp and push without one)",
    )
    parser.add_argument(
        "--risk",
        choices=RISKS,
        default=DEFAULT_RISK,
        help="what the network values actions by; all but the mean (default) need weights with a "
        "distributional head",
    )
    parser.add_argument(
        "--alpha",
        type=float,
        help="of the risk: the share of worst returns that counts (cvar, var; above 0, at most 1), "
        "or how careful to be (wang, power; -10 to 10, mean_std; 0 to 10; 0 is the mean); default "
        f"{DEFAULT_ALPHA}",
    )
    parser.add_argument(
        "--strategy",
        choices=STRATEGIES,
        default="",
        help="how the network chooses: over all primitives' pixels at once (flat), or the "
        "primitive first (hierarchical; default: as the weights were trained)",
    )
    parser.add_argument(
        "--scenes",
        default="random",
        help="a scene family as of 'vpg sim' (default random); 'challenging', the arrangements "
        "that come along; or a folder of test cases in the original's format",
    )
    parser.add_argument(
        "--objects", type=int, help="objects on the tables of a scene family (default 10)"
    )
    parser.add_argument(
        "--no-jitter",
        action="store_true",
        help="put the objects of test cases exactly where they say (default: each run moves them "
        "by up to 5 mm and 5°)",
    )
    parser.add_argument("--runs", type=int, default=30, help="tables of each case (default 30)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first (default 0)")
    parser.add_argument(
        "--camera",
        choices=CAMERAS,
        default="perspective",
        help="noisy camera and fusion as on the robot (default), or exact maps, faster",
    )
    parser.add_argument(
        "--jobs", type=int, default=1, help="worker processes; the runs stay the same (default 1)"
    )
    parser.add_argument(
        "--json", type=Path, help="write all figures to this file, and the runs beside it (.jsonl)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Evaluate, with a progress bar; a table of figures at the end."""
    from rich.console import Console

    from vpg_ros.atomic import write_json
    from vpg_ros.learning.evaluation import evaluate

    log = _log(options.json)
    evaluation = _evaluation(options)
    console = Console()
    with progress_bar(console) as bar:
        played = _Played(bar, len(evaluation.tasks()))
        figures = evaluate(evaluation, log, options.jobs, played.add)
    console.print(figures_table(figures))
    if options.json:
        write_json(options.json, figures)
    return 0


def _log(target: Path | None) -> Path | None:
    """Where the runs are kept, beside ``target``; raises PARAMETER_INVALID before any is played."""
    from vpg_ros.atomic import make_folder, require_writable

    if target is None:
        return None
    log = target.with_suffix(".jsonl")
    require(log != target, f"--json is {str(log)!r}; it must not end in .jsonl")
    make_folder(target.parent, "folder of --json")
    require_writable(target)
    return log


def _evaluation(options: argparse.Namespace) -> "Evaluation":
    """What the arguments ask for."""
    from vpg_ros.learning.evaluate import Player
    from vpg_ros.learning.evaluation import Evaluation

    chosen = tuple(options.primitives) if options.primitives else None
    heeding = ", ".join(name for name in RISKS if name != "mean")
    require(
        options.alpha is None or options.risk != "mean",
        f"--alpha is {options.alpha}, which --risk mean does not heed; --risk may be {heeding}",
    )
    alpha = DEFAULT_ALPHA if options.alpha is None else options.alpha
    require_risk(options.risk, alpha)
    return Evaluation(
        player=Player(
            options.policy,
            options.checkpoint,
            chosen,
            options.risk,
            alpha,
            options.strategy,
        ),
        scenes=options.scenes,
        objects=options.objects,
        jitter=not options.no_jitter,
        runs=options.runs,
        seed=options.seed,
        camera=options.camera,
    )


class _Played:
    """Counts runs into a progress bar."""

    def __init__(self, bar: "Progress", total: int) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=total, text="")
        self._runs: list[Run] = []

    def add(self, run: "Run") -> None:
        """One more run has ended."""
        from vpg_ros.learning.figures import completion

        self._runs.append(run)
        text = f"{run.case}, seed {run.seed}: {run.picked}/{run.objects}"
        share = completion(self._runs).value
        self._bar.update(self._task, advance=1, text=f"{text}; {share:.0%} completed")


def figures_table(figures: Mapping[str, Any]) -> "Table":
    """The figures as a table: a row a case, and all together; shares in %, intervals in brackets.

    figures: as ``vpg_ros.learning.evaluation.evaluate`` returns them.
    """
    from rich.table import Table

    table = Table(
        "case", "runs", "completion", "grasp success", "efficiency", title=_title(figures)
    )
    cases = figures["cases"]
    for case in cases if len(cases) > 1 else ():
        table.add_row(case["name"], str(case["runs"]), *_shares(case))
    table.add_section()
    count = str(len(figures["runs"]))
    table.add_row("completed runs", count, *_shares(figures))
    table.add_row("failed ones too", count, *_shares(figures["all_runs"]))
    table.caption = (
        f"%, 95 % intervals; objects lost: {figures['lost']}; "
        f"accidents a run: {_accidents(figures['accidents'])}; "
        f"a decision takes {figures['decision_ms']:.0f} ms"
    )
    return table


def _accidents(figure: Mapping[str, Any]) -> str:
    value, low, high = (figure[name] for name in ("value", "low", "high"))
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _title(figures: Mapping[str, Any]) -> str:
    weights = f" {figures['checkpoint']}" if figures["checkpoint"] else ""
    chosen = ", ".join(figures["primitives"])
    risk = f", {figures['risk']} {figures['alpha']:g}" if "risk" in figures else ""
    return f"{figures['policy']}{weights} ({chosen}{risk}) on {figures['scenes']}"


def _shares(figures: Mapping[str, Any]) -> list[str]:
    return [_share(figures[name]) for name in _FIGURES]


def _share(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "–"
    value, low, high = (100 * figure[name] for name in ("value", "low", "high"))
    return f"{value:.1f} [{low:.0f}, {high:.0f}]"
