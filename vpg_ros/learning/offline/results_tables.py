"""The results of the offline experiment as Markdown tables."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vpg_ros.learning.tables import markdown_table, p_value, points

Content = Mapping[str, Any]
_WHO = ("data", "size", "algorithm", "seeds")
_GRASPS = (
    *("grasps in its data", "behaviour's grasps here", "behaviour's completion here"),
    *("grasps", "completion", "minutes"),
)
_CLUTTER = (
    "Random clutter, all grasps of all tables, in %; here: on the same tables, by who acts in the "
    "data, whose own tables are others"
)
_WORTH = "Challenging cases: completion with pushes and without, in %"
_SYNERGY = (
    *("with pushes", "picks only", "synergy", "tables", "p over trainings"),
    *("p over the tables of one (McNemar)", "grasps", "actions an object"),
)
_VALUES = (
    "Values of pushes of the data after which a grasp within reach succeeded, or else (other) "
    "failed, and of the best grasps within reach; of algorithms that learn values"
)
_CREDIT = (
    *("data", "size", "algorithm", "pushes", "the push", "best push after"),
    *("best grasp before", "best grasp after", "other pushes", "their value"),
)
_RANKS = ("data", "size", "method", "policies", "effective samples", "Spearman", "regret")
_FAILED = ("data", "size", "algorithm", "seed", "why")


def markdown(
    rows: Sequence[Content],
    ranks: Sequence[Content],
    failed: Sequence[Content] = (),
    skipped: Sequence[tuple[str, str]] = (),
) -> str:
    """All tables: clutter, synergy, credit; rankings and what failed where there are any.

    Shares in %. A sentence says what was skipped, as of Matrix.
    """
    tables = [
        _section(_CLUTTER, (*_WHO, *_GRASPS), map(_clutter, rows)),
        _section(_WORTH, (*_WHO, *_SYNERGY), map(_worth, rows)),
        _section(_VALUES, _CREDIT, [_credit(row) for row in rows if "credit" in row]),
    ]
    compared = [line for row in ranks for line in _ranks(row)]
    if compared:
        tables.append(_section("Off-policy evaluation against simulation", _RANKS, compared))
    if failed:
        title = "Trainings that failed, and are in no other table"
        tables.append(_section(title, _FAILED, map(_failed, failed)))
    if skipped:
        tables.append(_skipped(skipped))
    return "\n".join(tables)


def _skipped(pairs: Sequence[tuple[str, str]]) -> str:
    """One sentence with the algorithms of each variant."""
    variants = dict.fromkeys(variant for _, variant in pairs)
    each = (f"{name} ({', '.join(a for a, v in pairs if v == name)})" for name in variants)
    return f"Not trained, because the variant changes nothing there: {'; '.join(each)}.\n"


def label(row: Content) -> str:
    """The algorithm and, where it is not the plain one, the variant."""
    plain = row["variant"] in (None, "plain")
    return str(row["algorithm"]) if plain else f"{row['algorithm']}, {row['variant']}"


def _who(row: Content) -> list[str]:
    return [row["dataset"] or "–", str(row["size"] or "–"), label(row), str(row["seeds"])]


def _clutter(row: Content) -> list[str]:
    seconds, random = row["training_seconds"], row["random"]
    acted = row.get("behaviour", {})
    shares = (
        *(row["behaviour_grasp_success"], acted.get("grasp_success"), acted.get("completion")),
        *(random["grasp_success"], random["completion"]),
    )
    minutes = "–" if seconds is None else f"{seconds / 60:.1f}"
    return [*_who(row), *(percent(each) for each in shares), minutes]


def _worth(row: Content) -> list[str]:
    found, figures = row["synergy"], row["challenging"]
    efficiency = figures["action_efficiency"]
    return [
        *_who(row),
        percent(found["completion"]),
        percent(found["picks_only"]),
        points(found["interval"]),
        str(found["runs"]),
        *(p_value(found[name]) for name in ("p_value", "mcnemar_p")),
        percent(figures["grasp_success"]),
        f"{1 / efficiency:.1f}" if efficiency else "–",
    ]


def _credit(row: Content) -> list[str]:
    credit, who = row["credit"], _who(row)[:-1]
    names = ("push", "push_after", "pick_before", "pick_after")
    opened = [f"{credit['pushes']:.0f}", *(_value(credit[name]) for name in names)]
    return [*who, *opened, f"{credit['other_pushes']:.0f}", _value(credit["other_push"])]


def _ranks(row: Content) -> list[list[str]]:
    return [
        [row["dataset"], str(row["size"]), method, *_rank(each)]
        for method, each in row.items()
        if isinstance(each, dict)
    ]


def _rank(each: Content) -> list[str]:
    fewest, regret = f"{each['effective']:.1f}", f"{each['regret']:.2f}"
    return [str(each["policies"]), fewest, _rho(each), regret]


def _failed(cell: Content) -> list[str]:
    return [cell["dataset"], str(cell["size"]), label(cell), str(cell["seed"]), cell["failed"]]


def _rho(each: Content) -> str:
    return "–" if each["spearman"] is None else f"{each['spearman']:+.2f}"


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def percent(share: float | None) -> str:
    """With one decimal, a dash for what is not known."""
    return "–" if share is None else f"{100 * share:.1f}"


def _section(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return f"{title}.\n\n{markdown_table(columns, list(rows))}"
