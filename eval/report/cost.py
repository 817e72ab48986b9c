"""What quality costs: tokens, milliseconds, and which systems nothing cheaper beats."""

from __future__ import annotations

from collections.abc import Sequence

from eval.records.record import System
from eval.report import plots
from eval.report.blocks import Block, Figure, NotMeasured, Section
from eval.report.shown import ShownRun
from eval.report.verdict import metric_name


def cost_section(run: ShownRun) -> Section:
    """Bars of tokens and milliseconds, and the frontier."""
    return Section(
        "cost",
        "Tokens and milliseconds",
        "What one query costs. The milliseconds are waiting for the model; of replayed answers "
        "they are those of the recording.",
        [*_bars(run), *_frontier(run)],
    )


def front(costs: Sequence[float | None], values: Sequence[float | None]) -> list[int]:
    """Places of what nothing of equal or lower cost equals or beats, by rising cost.

    Points without a cost or a value are left out. Of equals the first one stays.
    """
    told = [
        (cost, -value, at)
        for at, (cost, value) in enumerate(zip(costs, values, strict=True))
        if cost is not None and value is not None
    ]
    best: float | None = None
    places = []
    for _, lost, at in sorted(told):
        if best is None or lost < best:
            places.append(at)
            best = lost
    return places


def _bars(run: ShownRun) -> list[Block]:
    asking = [one for one in run.record.systems if one.model is not None]
    if not asking:
        return [NotMeasured("No system asked a model.", "[[models]]")]
    names = [one.name for one in asking]
    return [
        Figure(
            "Tokens a query, prompt and answer together.",
            "Tokens a query by system; the leaderboard has the numbers.",
            plots.bars(
                names, {"tokens": [one.cost.tokens_per_query for one in asking]}, "tokens a query"
            ),
            height=90 + 36 * len(names),
            min_width=420,
        ),
        Figure(
            "Milliseconds a query: half of the queries are faster than p50, all but one in "
            "twenty faster than p95.",
            "Milliseconds a query by system; the leaderboard has the numbers.",
            plots.bars(
                names,
                {
                    "p50": [one.cost.p50_ms for one in asking],
                    "p95": [one.cost.p95_ms for one in asking],
                },
                "milliseconds a query",
                colours=(plots.BLUE, plots.SKY),
            ),
            height=110 + 48 * len(names),
            min_width=420,
        ),
    ]


def _frontier(run: ShownRun) -> list[Block]:
    systems = run.record.systems
    metric = metric_name(run.record.primary)
    tokens = [_tokens(one) for one in systems]
    means = [_mean(one, run.record.primary) for one in systems]
    places = front(tokens, means)
    if not places:
        return [NotMeasured("No system has both a cost and a quality.", "metrics")]
    names = " → ".join(systems[at].name for at in places)
    return [
        Figure(
            f"Quality against cost. Nothing cheaper is better than: {names}.",
            f"{metric} against tokens a query. On the frontier: {names}.",
            plots.frontier(
                [one.name for one in systems],
                [one.kind for one in systems],
                tokens,
                means,
                places,
                metric,
            ),
            height=380,
            min_width=360,
        )
    ]


def _tokens(system: System) -> float | None:
    # A system without a model asks nothing: its cost is known, and it is 0.
    return system.cost.tokens_per_query if system.model is not None else 0.0


def _mean(system: System, metric: str) -> float | None:
    found = system.figures.get(metric)
    return found.mean if found else None
