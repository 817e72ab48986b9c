"""``palate fit``: learn what each source is worth."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from agent.progress import ConsoleProgress
from server.cli.console import out, settings_from

if TYPE_CHECKING:
    from agent.fit import FitReport, Measured


def register(app: typer.Typer) -> None:
    """Attach the command."""
    app.command(epilog="Examples: `palate fit`, `palate --home shop fit --max-users 500`")(fit)


def fit(
    ctx: typer.Context,
    max_users: Annotated[int, typer.Option(min=1, help="Most users to learn from.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample of users and the folds.")] = 0,
) -> None:
    """Learn the weights of the fused score from the event log and save them in the home folder."""
    from agent.fit import fit_fusion
    from agent.fusion_file import save_weights
    from agent.stores import open_stores

    settings = settings_from(ctx)
    with open_stores(settings) as stores, ConsoleProgress() as progress:
        report = fit_fusion(
            catalog=stores.catalog,
            event_log=stores.event_log,
            data_hash=stores.database.data_hash(),
            progress=progress,
            ease_max_items=settings.retrieval.ease_max_items,
            per_source=settings.retrieval.pool_per_source,
            max_users=max_users,
            seed=seed,
        )
        path = save_weights(report.weights, settings.store.home)
    _show(report)
    out.print(f"Saved to {path}", markup=False)


def _show(report: FitReport) -> None:
    table = Table(title="What each source is worth")
    for heading in ("source", "NDCG@10 alone", "95 %", "weight", "with text"):
        side: Literal["left", "right"] = "left" if heading == "source" else "right"
        table.add_column(heading, justify=side, no_wrap=True)
    alone = {one.name: one for one in report.sources}
    weights = report.weights
    for name in weights.sources:
        measured = alone.get(name)
        table.add_row(
            name,
            *(_numbers(measured) if measured else ("not measured", "")),
            f"{weights.without_text.get(name, 0.0):.3f}",
            f"{weights.with_text.get(name, 0.0):.3f}",
        )
    table.add_section()
    table.add_row("S, prior weights", *_numbers(report.prior), "", "")
    table.add_row("S", *_numbers(report.fused), "", "")
    table.add_row("S - best source", *_numbers(report.gain), "", "")
    out.print(table)
    cut = "none" if report.cut is None else report.cut.date().isoformat()
    recall = "-" if math.isnan(report.recall) else f"{report.recall:.1%}"
    out.print(
        f"Weights: {weights.kind} ({weights.note}). Cut {cut}; {report.users} labelled users, "
        f"{report.trainable} with a positive in their pool, {report.users - report.trainable} "
        f"without (counted as 0, not trained on); pool recall {recall}.",
        markup=False,
    )


def _numbers(measured: Measured) -> tuple[str, str]:
    if math.isnan(measured.ndcg):
        return "-", ""
    return f"{measured.ndcg:.4f}", f"{measured.low:.4f} … {measured.high:.4f}"
