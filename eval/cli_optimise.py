"""``palate eval optimise``: search for a better prompt on the tuning questions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.progress import ConsoleProgress
from eval.cli_run import COULD_NOT_RUN, Tokens

if TYPE_CHECKING:
    from eval.optimise.report import OptimiseReport
    from eval.optimise.settings import OptimiseSettings
    from eval.optimise.write import Written
    from eval.prompt_config import ModelConfig, PromptRunConfig, VariantConfig
    from prompts.prompt import Prompt

_SHOWN = 8
_PROMPT = "rerank"

group = typer.Typer(
    help="Search for a better prompt.", no_args_is_help=True, rich_markup_mode="markdown"
)


def register(app: typer.Typer) -> None:
    """Attach ``optimise`` and its commands."""
    app.add_typer(group, name="optimise")


@group.callback()
def _group() -> None:
    """Search for a better prompt."""


@group.command(
    epilog="Examples: `palate eval optimise rerank eval/configs/games6k-rerank.toml`, "
    "`palate eval optimise rerank CONFIG --shots current,none,mined --price 0 --budget 5000000`. "
    "Exit codes: 0 the search is done, whatever it found; 2 bad input or a budget that was spent "
    "first; 3 something named is not there; 6 no language model."
)
def rerank(
    config: Annotated[Path, typer.Argument(help="A prompt run's config, as for palate eval run.")],
    model: Annotated[str, typer.Option(help="One of its models; default the first.")] = "",
    variant: Annotated[
        str, typer.Option(help="One of its variants, the prompt in use; default the first.")
    ] = "",
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="At most this many questions, in place of the config's limit."),
    ] = None,
    budget: Tokens = None,
    price: Annotated[
        float, typer.Option(help="NDCG that 1,000 prompt tokens a question must earn.")
    ] = 0.0002,
    shots: Annotated[
        str,
        typer.Option(
            help="Kinds to try, of current, none and mined. Mined shots write what tuning users "
            "said into the prompt: for public data."
        ),
    ] = "current,none",
    bins: Annotated[
        bool, typer.Option("--bins/--no-bins", help="Also try cards that show the sources' bins.")
    ] = True,
    probe: Annotated[
        int, typer.Option(min=1, help="Questions on which finalists are attacked.")
    ] = 40,
    instructions: Annotated[
        Path | None, typer.Option(help="Wordings to try; default those that come with Palate.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the new version; default prompts.folder.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder that receives the record.")] = Path("runs"),
    write_anyway: Annotated[
        bool,
        typer.Option(
            "--write-anyway", help="Write the best prompt, also where it is not proven better."
        ),
    ] = False,
) -> None:
    """Search instructions, shots and bins of the rerank prompt on the tuning questions.

    Writes a new version where one is significantly better and no easier to inject into.
    """
    # Here and not above: every palate --help loads this file, and these take a second.
    from datetime import UTC, datetime

    from agent.settings import read_settings
    from eval.answers.lane import Budget
    from eval.answers.opened import open_lane
    from eval.load import load_questions
    from eval.optimise.search import optimise
    from eval.optimise.sentence import because
    from eval.optimise.space import read_instructions
    from eval.optimise.write import write_search, write_version
    from eval.prompt_config import read_prompt_config
    from prompts.prompt import PromptError
    from retrieval.errors import InvalidInput

    wanted = read_prompt_config(config)
    if limit is not None:
        wanted = wanted.model_copy(update={"limit": limit})
    used, answering = _chosen(wanted, variant, model)
    settings = _settings(wanted, used, price, shots, bins, probe)
    bases = _bases(used)
    asked = read_instructions(instructions)
    folder = out or used.folder or read_settings().prompts_folder
    with ConsoleProgress() as progress:
        questions = load_questions(wanted, progress, period="tune").questions
        if wanted.data.format == "questions":
            progress.note(f"{wanted.data.path} must hold tuning questions: that cannot be checked")
        tokens = Budget(budget)
        try:
            with open_lane(answering, runs, tokens, progress) as lane:
                report = optimise(lane, questions, bases, settings, progress, instructions=asked)
        except PromptError as error:
            raise InvalidInput(str(error), "name another variant") from error
    written = None
    if report.winner is not None and (report.decision == "better" or write_anyway):
        written = write_version(folder, report.winner, _PROMPT)
    record = write_search(runs, wanted.name, report, written, at=datetime.now(UTC))
    console = Console(highlight=False)
    console.print(_table(report))
    for line in (because(report), *_afterwards(report, written, folder, config, used)):
        console.print(line, markup=False, soft_wrap=True)
    console.print(f"asked for {tokens.spent:,} tokens; replayed ones are free", markup=False)
    console.print(f"record: {record}", markup=False, soft_wrap=True)
    if report.decision == "incomplete":
        raise typer.Exit(COULD_NOT_RUN)


def _chosen(config: PromptRunConfig, variant: str, model: str) -> tuple[VariantConfig, ModelConfig]:
    from retrieval.errors import NotFound

    variants = {one.name: one for one in config.variants}
    models = {one.name: one for one in config.models}
    for what, name, known in (("variant", variant, variants), ("model", model, models)):
        if name and name not in known:
            raise NotFound(f"the config has no {what} {name!r}", f"it has {', '.join(known)}")
    return variants[variant or config.variants[0].name], models[model or config.models[0].name]


def _settings(
    config: PromptRunConfig,
    used: VariantConfig,
    price: float,
    shots: str,
    bins: bool,
    probe: int,
) -> OptimiseSettings:
    from eval.optimise.settings import OptimiseSettings, shots_kinds

    return OptimiseSettings(
        candidates=config.pool.judged,
        weight=None if isinstance(used.weight, str) else used.weight,
        max_rise=used.max_rise,
        bins=used.bins,
        try_bins=bins,
        probe=probe,
        shots=shots_kinds(shots),
        price=price,
        seed=config.seed,
        alpha=config.stats.alpha,
        power=config.stats.power,
        detect=config.stats.detect,
        max_failed=config.max_failed,
    )


def _bases(used: VariantConfig) -> dict[str, Prompt]:
    """The prompt in use, in every language."""
    from eval.answers.opened import prompt_of
    from prompts.prompt import LANGUAGES
    from retrieval.errors import InvalidInput

    find = prompt_of(used)
    bases = {lang: find(lang) for lang in LANGUAGES}
    if bases["en"].name != _PROMPT:
        raise InvalidInput(
            f"variant {used.name!r} is {bases['en'].version}, not a {_PROMPT} prompt",
            "name a variant of the rerank prompt with --variant",
        )
    return bases


def _table(report: OptimiseReport) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("prompt", overflow="fold")
    for name in ("questions", "objective over the one in use", "p (Holm)", "tokens", "λ", "lift"):
        table.add_column(name, justify="right")
    table.add_column("fate", overflow="fold")
    finalists = [one for one in report.tried[1:] if one.objective is not None]
    rest = sorted(
        (one for one in report.tried[1:] if one.objective is None),
        key=lambda one: -one.questions,
    )
    for one in (report.tried[0], *finalists[:_SHOWN], *rest[: max(0, _SHOWN - len(finalists))]):
        told = one.objective
        lift = "" if one.injection is None else f"{one.injection['mean_lift']:.2f}"
        table.add_row(
            Text(one.candidate.name),
            str(one.questions),
            "" if told is None else f"{told.mean:+.4f} [{told.low:+.4f}, {told.high:+.4f}]",
            "" if told is None else f"{told.p_holm:.4f}",
            f"{one.tokens:,.0f}",
            f"{one.weight:g}",
            lift,
            Text(f"rejected: {one.rejected}" if one.rejected else one.fate),
        )
    return table


def _afterwards(
    report: OptimiseReport,
    written: Written | None,
    folder: Path,
    config: Path,
    used: VariantConfig,
) -> list[str]:
    """What was written, and how to confirm it on questions that no search has seen."""
    best = report.winner
    if written is None or best is None:
        return []
    lines = [f"wrote {path}" for path in written.paths]
    if report.decision != "better":
        lines.append("It is not proven better; it was written because of --write-anyway.")
    if best.candidate.shots == "mined":
        lines.append(
            f"Its shots hold texts of {report.settings.shot_count} tuning users: whoever erases "
            "one of them has to delete these files as well."
        )
    name = written.reference.replace("@", "-v")
    return [
        *lines,
        "Confirm it on the test period, which no search has seen. Add to a copy of "
        f"{config}, without other [[variants]] than the one in use:",
        "",
        "[[variants]]",
        f'name = "{name}"',
        f'prompt = "{written.reference}"',
        f'folder = "{folder.resolve().as_posix()}"',
        f"bins = {str(best.candidate.bins).lower()}",
        f"weight = {best.weight:g}",
        f"max_rise = {used.max_rise}",
        "",
        "[[thresholds]]",
        f'system = "{name}"',
        'figure = "delta_low"',
        'metric = "ndcg@10"',
        "at_least = 0.0",
        "",
        'and with split.period = "test": palate eval run COPY.toml; then '
        f"palate prompts promote {written.reference} production --run ID",
    ]
