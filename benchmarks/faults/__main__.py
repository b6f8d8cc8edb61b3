"""``python -m benchmarks.faults``: every fault of the table, as often as asked for."""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

from rich.console import Console

from benchmarks.faults import arm, camera, inference, task
from benchmarks.faults.rig import Late, Rig
from benchmarks.faults.table import read_results, results_table, write_results
from benchmarks.faults.trial import FAULTS, Fault, Result, carry_out, failed
from vpg_ros.errors import VpgError

_ORDER = ("camera", "arm", "gripper", "inference", "task", "data", "simulation")
_REGISTERED = (camera, arm, inference, task)


def chosen(words: Sequence[str]) -> list[Fault]:
    """The faults whose title has one of ``words`` in it, in the table's order; all without any."""
    wanted = [f for f in FAULTS if not words or any(word in f.title for word in words)]
    return sorted(wanted, key=lambda fault: _ORDER.index(fault.part))


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every fault passed every time."""
    options = _parser().parse_args(arguments)
    console = Console()
    faults = chosen(options.only)
    if not faults:
        console.print(f"no fault has any of {options.only} in its name")
        return 2
    results = read_results(Path(options.out)) if options.resume else []
    folder = Path(options.out).parent / time.strftime("faults-%Y%m%d-%H%M%S")
    begun, done = divmod(len(results), len(faults))
    for turn in range(begun, options.repeat):
        left = faults[done:] if turn == begun else faults
        results += _turn(left, folder / str(turn), options, console, results)
    console.print(results_table(results))
    return 0 if all(result.passed for result in results) else 1


def _turn(
    faults: Sequence[Fault],
    folder: Path,
    options: argparse.Namespace,
    console: Console,
    before: Sequence[Result],
) -> list[Result]:
    """Faults once each, on one system; a system that a fault has broken is replaced."""
    results: list[Result] = []
    for result in _results(list(faults), folder, options):
        results.append(result)
        write_results(Path(options.out), [*before, *results])
        _tell(console, result)
    return results


def _results(left: list[Fault], folder: Path, options: argparse.Namespace) -> Iterator[Result]:
    """What comes of each fault of ``left``, which empties."""
    for system in count():
        if not left:
            return
        try:
            with Rig(folder / f"system-{system}", options.patience, policy=options.policy) as rig:
                yield from _on(rig, left)
        except (VpgError, Late) as error:  # the system did not start
            yield failed(left.pop(0), error)


def _on(rig: Rig, left: list[Fault]) -> Iterator[Result]:
    """What comes of faults on one system, until one has broken it."""
    while left:
        result = carry_out(left.pop(0), rig)
        yield result
        if not result.passed and not rig.heal():
            return


def _tell(console: Console, result: Result) -> None:
    mark = "[green]✓[/]" if result.passed else "[red]✗[/]"
    reason = result.reason.replace("[", r"\[")
    times = f"stop {result.stop_s:.1f} s, recover {result.recover_s:.1f} s"
    console.print(f"{mark} {result.fault} ({result.code}): {times} {reason}", highlight=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    add = parser.add_argument
    add("--repeat", type=int, default=1, help="so many times in a row")
    add("--out", default="runs/faults.json", help="what came of each, rewritten after each")
    add("--resume", action="store_true", help="go on after what --out holds, of the same faults")
    add("--only", nargs="*", default=[], help="words that the fault's title must have one of")
    add("--policy", default="network", help="who chooses the actions")
    add("--patience", type=float, default=1.0, help="factor of all deadlines, for a busy machine")
    return parser


if __name__ == "__main__":
    sys.exit(main())
