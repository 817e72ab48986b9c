"""``palate fit``: learn what each source is worth, and certify it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from agent.progress import ConsoleProgress
from retrieval.errors import InvalidInput
from server.cli.console import out, settings_from

if TYPE_CHECKING:
    from agent.fitting.certificate import Certificate, Measured
    from agent.fitting.llm_gate import Judging
    from agent.ports import LanguageModel
    from agent.settings import Settings


def register(app: typer.Typer) -> None:
    """Attach the command."""
    app.command(
        epilog=(
            "Examples: `palate fit`, `palate --home shop fit --pictures shop/media`, "
            "`palate fit --max-users 2000 --share-after 0.1`, `palate fit --judge 200`, "
            "`palate fit --show`"
        )
    )(fit)


def fit(
    ctx: typer.Context,
    max_users: Annotated[
        int, typer.Option(min=1, help="Most users to learn from; a sample of more.")
    ] = 10_000,
    share_after: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Share of the events that become labels.")
    ] = 0.2,
    pictures: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the items' pictures, for the source `picture`.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of the solvers.", show_default="number of cores")
    ] = None,
    judge: Annotated[
        int,
        typer.Option(
            min=0,
            help="Labelled users whose best candidates the language model judges, so that its "
            "part of the score is measured too; 0 asks nothing.",
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
    show: Annotated[
        bool, typer.Option("--show", help="Print the certificate in use; fit nothing.")
    ] = False,
) -> None:
    """Learn from the event log what each source is worth, and save models and weights for serving.

    The log is cut in time: sources are fitted on what came before and judged by what followed.
    A mixture replaces the best single source only where a gate lets it. All figures stand in a
    certificate, as JSON and as a page, under `certificates/` in the home folder; weights that
    do not agree with theirs are not served. A running service takes a new fit up by itself.
    """
    settings = settings_from(ctx)
    if show:
        _show_saved(settings.store.home)
        return
    from agent.fitting.run import fit_home
    from agent.models.machine import cores
    from agent.models.running import language_model
    from agent.stores import open_stores

    with (
        open_stores(settings) as stores,
        ConsoleProgress() as progress,
        language_model(settings, progress) if judge else nullcontext() as model,
    ):
        fitted = fit_home(
            stores,
            progress,
            max_users=max_users,
            share_after=share_after,
            pictures=pictures,
            judging=_judging(settings, model, judge),
            threads=threads or len(cores()),
            seed=seed,
        )
    _show(fitted.certificate, fitted.page)


def _judging(settings: Settings, model: LanguageModel | None, users: int) -> Judging | None:
    """How the model is asked: as a request without text would ask it."""
    if not users:
        return None
    if model is None:
        raise InvalidInput(
            "--judge needs a language model, and llm.model is none",
            "name one with PALATE_LLM_MODEL, or leave --judge out",
        )
    from functools import partial

    from agent.fitting.llm_gate import Judging
    from agent.prompting import open_prompts
    from agent.rerank import PROMPT, Judgement, PointwiseScorer, judge

    scorer = PointwiseScorer(model, partial(open_prompts(settings).find, PROMPT))

    def ask(person: str, cards: Sequence[tuple[str, str]], lang: str) -> Judgement:
        return judge(
            scorer,
            profile_text=person,
            query_text="",
            cards=cards,
            lang=lang,
            deadline=settings.llm.timeout,
        )

    rerank = settings.rerank
    return Judging(
        model.info.model_id, scorer.prompt_version, ask, users, rerank.candidates, rerank.max_rise
    )


def _show_saved(home: Path) -> None:
    from agent.fusion_file import certificate_path, load_certificate
    from retrieval.errors import NotFound

    certificate = load_certificate(home)
    if certificate is None:
        raise NotFound(f"{home} holds no fit", "make one: palate fit")
    _show(certificate, certificate_path(certificate.weights, home).with_suffix(".html"))


def _show(certificate: Certificate, page: Path) -> None:
    from agent.fitting.words import gate_sentence, gate_word, llm_sentence, plain, served

    found = served(certificate)
    out.print(_table(certificate))
    out.print(f"{found.word}. {found.sentence}", markup=False)
    llm = certificate.llm
    gates = (
        ("mixture", certificate.mixture, "nothing was learned"),
        ("context", certificate.adaptive, "too few users to show that it helps"),
        ("language model", llm.decision if llm else None, llm_sentence(llm)),
    )
    for name, decision, without in gates:
        word = "not asked" if decision is None else gate_word(decision)
        why = without if decision is None or name == "language model" else gate_sentence(decision)
        out.print(f"Gate of the {name}: {word}. {why[0].upper()}{why[1:]}.", markup=False)
    out.print(
        f"Cut {certificate.cut[:10] or 'none'}; {certificate.users:,} labelled users, "
        f"{certificate.trainable:,} with a positive in their pool; "
        f"pool recall {plain(certificate.recall * 100, 1)} %.",
        markup=False,
    )
    for note in certificate.notes:
        out.print(f"- {note}", markup=False)
    out.print(f"Page: {page}\nCertificate: {page.with_suffix('.json')}", markup=False)


def _table(certificate: Certificate) -> Table:
    from agent.fitting.words import duration, megabytes

    table = Table(title="What each source is worth")
    for heading in ("source", "NDCG@10", "95 %", "weight", "seconds", "MB"):
        side: Literal["left", "right"] = "left" if heading == "source" else "right"
        table.add_column(heading, justify=side, no_wrap=True)
    for one in certificate.sources:
        table.add_row(
            one.name,
            *_figures(one.alone),
            f"{one.weight:.3f}" if one.on else "off",
            duration(one.seconds),
            megabytes(one.bytes),
        )
    table.add_section()
    for combined in certificate.combined:
        table.add_row(combined.name, *_figures(combined))
    return table


def _figures(measured: Measured) -> tuple[str, str]:
    from agent.fitting.words import plain

    if plain(measured.ndcg) == "–":
        return "–", ""
    return plain(measured.ndcg), f"{plain(measured.low)} … {plain(measured.high)}"
