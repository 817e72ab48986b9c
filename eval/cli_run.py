"""``palate eval run``: one config, one command, an exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from agent.progress import ConsoleProgress
from retrieval.errors import InvalidInput, PalateError

if TYPE_CHECKING:
    from eval.config import EvalConfig
    from eval.prompt_config import PromptRunConfig
    from eval.records.record import RunRecord, System
    from eval.run import EvalResult

FAILED, COULD_NOT_RUN = 1, 2
_WIDE = 120

Limit = Annotated[int | None, typer.Option(min=1, help="At most this many questions.")]
Tokens = Annotated[
    int | None,
    typer.Option("--budget", min=1, help="Tokens that may be asked for; replays are free."),
]


def register(app: typer.Typer) -> None:
    """Add the command to ``palate eval``."""
    app.command(
        epilog="Examples: `palate eval run eval/configs/xwines-reference.toml`, "
        "`palate eval run eval/configs/demo-rerank.toml --limit 20 --budget 50000`. "
        "Exit codes: 0 every threshold held, 1 one did not, 2 could not run or not to the end."
    )(run)


def run(
    config: Annotated[Path, typer.Argument(help="A file like those in eval/configs/.")],
    runs: Annotated[Path, typer.Option(help="Folder that receives the record.")] = Path("runs"),
    limit: Limit = None,
    budget: Tokens = None,
    run_id: Annotated[
        str | None, typer.Option("--id", help="Name of the run's folder; otherwise time and name.")
    ] = None,
    mlflow: Annotated[str, typer.Option(help="Also log the run to this MLflow tracking URI.")] = "",
) -> None:
    """Measure what a config describes: estimators, or prompts on models; compare and decide.

    A run that is stopped goes on where it was when it is started again: no call is repeated.
    """
    # Here and not above: every palate --help loads this file, and these take a second.
    from eval.config import read_toml

    # A file or a pipe has no width: names shall not fold there.
    out = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    try:
        if "variants" in read_toml(config):
            code = _prompts(config, runs, out, limit, budget, run_id, mlflow)
        elif limit or budget or run_id or mlflow:
            raise InvalidInput(
                f"{config} has no [[variants]], and --limit, --budget, --id and --mlflow are "
                "for runs of prompts",
                "leave them out",
            )
        else:
            code = _systems(config, runs, out)
    except PalateError as error:
        # Whatever kept the run from being made: pipelines tell "failed" from "could not run".
        err = Console(stderr=True, highlight=False, soft_wrap=True)
        err.print(f"error: {error.message}", markup=False)
        if error.hint:
            err.print(f"hint: {error.hint}", markup=False)
        raise typer.Exit(COULD_NOT_RUN) from error
    if code:
        raise typer.Exit(code)


def _prompts(
    path: Path,
    runs: Path,
    out: Console,
    limit: int | None,
    budget: int | None,
    run_id: str | None,
    mlflow: str,
) -> int:
    from eval.prompt_config import read_prompt_config
    from eval.prompt_run import run_prompts

    config = read_prompt_config(path)
    if limit is not None:
        config = config.model_copy(update={"limit": min(limit, config.limit or limit)})
    with ConsoleProgress() as progress:
        folder, record = run_prompts(config, runs, progress, budget=budget, run_id=run_id)
    out.print(_leaderboard(config, record))
    for reason, count in record.left_out.items():
        if count:
            out.print(f"left out: {count} ({reason})", markup=False, soft_wrap=True)
    for bar in record.thresholds:
        value = "not measured" if bar.measured is None else f"{bar.measured:.4f}"
        held = "passed" if bar.passed else "FAILED"
        out.print(f"{held}: {bar.text}: {value}", markup=False, soft_wrap=True)
    if mlflow:
        from eval.records.mlflow_export import export

        out.print(f"MLflow run {export(folder, mlflow, config.name)}", markup=False)
    out.print(f"{record.verdict}: {record.verdict_because}", markup=False, soft_wrap=True)
    out.print(f"report: {folder / 'report.html'}", markup=False, soft_wrap=True)
    return {"passed": 0, "failed": FAILED}.get(record.verdict, COULD_NOT_RUN)


def _leaderboard(config: PromptRunConfig, record: RunRecord) -> Table:
    table = Table(
        title=f"{record.id}: {record.queries} questions",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("system", overflow="fold")
    table.add_column(f"{config.primary} [95 % interval]", justify="right", no_wrap=True)
    for name in ("over S", "p (Holm)", "tokens a query", "failed"):
        table.add_column(name, justify="right")
    for one in record.systems:
        figure = one.figures[config.primary]
        table.add_row(one.name, *_cells(one, figure.mean, figure.low, figure.high))
    return table


def _cells(one: System, mean: float | None, low: float | None, high: float | None) -> list[str]:
    over = next((pair for pair in one.comparisons if pair.against == "S"), None)
    delta = "" if over is None or over.mean is None else f"{over.mean:+.4f}"
    p = "" if over is None or over.p_holm is None else f"{over.p_holm:.3f}"
    tokens = one.cost.tokens_per_query
    return [
        "–" if mean is None else f"{mean:.4f} [{low:.4f}, {high:.4f}]",
        delta,
        p,
        "" if tokens is None else f"{tokens:,.0f}",
        f"{one.failed}/{one.judged}" if one.judged else "",
    ]


def _systems(path: Path, runs: Path, out: Console) -> int:
    from eval.config import read_config
    from eval.data import load_log
    from eval.records.systems import write_record
    from eval.run import run_evaluation

    wanted = read_config(path)
    with ConsoleProgress() as progress:
        log = load_log(wanted.data, progress)
        result = run_evaluation(wanted, log.interactions, log.catalogue, progress)
    record = write_record(runs, wanted, result, log.interactions)
    out.print(_table(wanted, result))
    for reason, users in result.left_out.items():
        if users:
            out.print(f"not tested: {users} users ({reason})", markup=False)
    out.print(f"record: {record}", markup=False, soft_wrap=True)
    for miss in result.misses:
        out.print(
            f"FAILED: {miss.expected.system} {miss.expected.metric} = {miss.measured:.4f}, "
            f"expected {miss.expected.value:.4f} within {miss.expected.within}",
            markup=False,
        )
    if result.misses:
        return FAILED
    if wanted.expect:
        out.print(f"passed: {len(wanted.expect)} expectations held", markup=False)
    return 0


def _table(config: EvalConfig, result: EvalResult) -> Table:
    title = (
        f"{config.name}: {config.split.kind}, {result.queries} users, "
        f"{result.items} items, {result.train} training interactions"
    )
    table = Table(title=title)
    table.add_column("system")
    for name in config.metrics:
        table.add_column(f"{name} [95 % interval]", justify="right")
    table.add_column("fit s", justify="right")
    table.add_column("rank s", justify="right")
    for system in result.systems:
        cells = []
        for name in config.metrics:
            figure = system.figures[name]
            cells.append(f"{figure.mean:.4f} [{figure.low:.4f}, {figure.high:.4f}]")
        table.add_row(
            system.name, *cells, f"{system.fit_seconds:.1f}", f"{system.rank_seconds:.1f}"
        )
    return table
