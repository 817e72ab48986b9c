"""``palate profiles``: build them, and look at one with the words that it rests on."""

from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from agent.progress import ConsoleProgress, spoken_seconds
from retrieval.errors import InvalidInput, NotFound
from retrieval.types import Profile, Subject
from server.cli.console import out, settings_from

if TYPE_CHECKING:
    from agent.profiles.report import BuildReport
    from agent.stores import Stores

app = typer.Typer(no_args_is_help=True, help="Build profiles, and see what they rest on.")

_WHICH = "A number: the first that many by id. Otherwise ids with commas between, or @FILE."


@app.command(
    epilog="Examples: `palate profiles build`, `palate profiles build --users 60 --items 60`, "
    "`palate profiles build --user 'ann/1' --no-llm`"
)
def build(
    ctx: typer.Context,
    users: Annotated[str | None, typer.Option(help=f"Which users. {_WHICH}")] = None,
    items: Annotated[str | None, typer.Option(help=f"Which items. {_WHICH}")] = None,
    user: Annotated[list[str] | None, typer.Option(help="One user, by any id; repeatable.")] = None,
    item: Annotated[list[str] | None, typer.Option(help="One item, by any id; repeatable.")] = None,
    llm: Annotated[
        bool, typer.Option("--llm/--no-llm", help="Read texts with the language model.")
    ] = True,
    as_of: Annotated[
        str | None, typer.Option(help="Read nothing newer: 2024-05-31 or 2024-05-31T12:00Z.")
    ] = None,
) -> None:
    """Bring profiles and their vectors up to date; only what changed is done again.

    Without a choice, everything; with only users chosen, no items, and the other way round.
    """
    from agent.models.running import language_model
    from agent.profiles.build import build_profiles, chosen_subjects
    from agent.prompting import open_prompts
    from agent.stores import open_stores

    settings = settings_from(ctx)
    prompts = open_prompts(settings)
    cut_off = _time(as_of) if as_of is not None else None
    everything = users is None and items is None and not user and not item
    with open_stores(settings) as stores, ConsoleProgress() as progress:
        # Ids are looked up before a model is started: a typo should not cost a minute.
        chosen: dict[Subject, list[str] | None] = {"user": None, "item": None}
        if not everything:
            asked: tuple[tuple[Subject, str | None, list[str] | None], ...] = (
                ("user", users, user),
                ("item", items, item),
            )
            for subject, some, single in asked:
                ids = _ids(stores, subject, some) + (single or [])
                chosen[subject] = chosen_subjects(stores.catalog, stores.event_log, subject, ids)
        with language_model(settings, progress) if llm else nullcontext() as model:
            report = build_profiles(
                catalog=stores.catalog,
                event_log=stores.event_log,
                profiles=stores.profiles,
                model=model,
                prompts=prompts,
                embedder=stores.embedder,
                item_index=stores.item_index,
                user_index=stores.user_index,
                progress=progress,
                users=chosen["user"],
                items=chosen["item"],
                as_of=cut_off,
                write_with_llm=settings.profiles.write_with_llm,
                tau_days=settings.profiles.tau_days,
                max_rows=settings.profiles.max_rows,
                max_texts=settings.profiles.max_texts,
            )
    for line in report_lines(report):
        out.print(line, markup=False)


@app.command(epilog="Examples: `palate profiles show user U12`, `palate profiles show item I7`")
def show(
    ctx: typer.Context,
    subject: Annotated[str, typer.Argument(help="user or item.")],
    subject_id: Annotated[str, typer.Argument(metavar="ID", help="Whose profile.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print one profile: its text, and every row with the quotes that it rests on."""
    from agent.stores import open_stores

    if subject not in ("user", "item"):
        raise InvalidInput(f"{subject!r} has no profile", "say user or item")
    kind: Subject = "user" if subject == "user" else "item"
    with open_stores(settings_from(ctx)) as stores:
        if kind == "user":
            stores.catalog.user(subject_id)
        else:
            stores.catalog.item(subject_id)
        profile = stores.profiles.get(kind, subject_id)
    if profile is None:
        raise NotFound(
            f"{kind} {subject_id!r} has no profile yet",
            f"run: palate profiles build --{kind} {subject_id!r}",
        )
    if as_json:
        out.print(json.dumps(profile_record(profile), ensure_ascii=False, indent=2), markup=False)
    else:
        _print(profile)


def report_lines(report: BuildReport) -> list[str]:
    """What a build did, and what it cost, in a few lines for people."""
    lines = [
        f"{report.profiles_built:,} profiles written ({report.written_by_llm:,} by the model), "
        f"{report.profiles_unchanged:,} unchanged, {report.vectors:,} vectors, "
        f"in {spoken_seconds(report.seconds)}."
    ]
    if report.calls:
        lines += [
            f"Model: {report.calls:,} calls, {report.prompt_tokens:,} tokens in, "
            f"{report.completion_tokens:,} out; {report.texts_cached:,} texts from the cache.",
            f"Read: {report.lines:,} lines; dropped {report.malformed:,} malformed, "
            f"{report.quotes_dropped:,} quotes not in their source, "
            f"{report.instructions_dropped:,} instructions to a model; "
            f"{report.polarity_doubted:,} of doubtful polarity count half.",
            f"Written: {report.sentences_kept:,} sentences kept, "
            f"{report.sentences_rejected:,} refused by the validator.",
        ]
    failed = report.texts_failed + report.writings_failed
    if failed:
        lines.append(f"{failed:,} answers failed; the last: {report.last_failure}")
    if report.texts_too_short or report.chunks_left_out or report.texts_left_out:
        lines.append(
            f"Not read: {report.texts_too_short:,} texts too short to say anything, "
            f"{report.chunks_left_out:,} parts of very long texts, "
            f"{report.texts_left_out:,} older texts of subjects with very many."
        )
    return lines


def profile_record(profile: Profile) -> dict[str, Any]:
    """A profile as JSON values; times in ISO 8601."""
    return {
        "subject": profile.subject,
        "id": profile.subject_id,
        "text": profile.text,
        "written_by": profile.written_by,
        "as_of": profile.as_of.isoformat(),
        "version": profile.version,
        "rows": [
            {
                "row_id": row.row_id,
                "aspect": row.aspect,
                "label": row.label,
                "polarity": row.polarity,
                "strength": row.strength,
                "n": row.n,
                "first_at": row.first_at.isoformat(),
                "last_at": row.last_at.isoformat(),
                "lang": row.lang,
                "quotes": [{"evidence_id": q.evidence_id, "text": q.text} for q in row.quotes],
            }
            for row in profile.rows
        ],
    }


def _print(profile: Profile) -> None:
    by = "the model, checked against the rows" if profile.written_by == "llm" else "a template"
    out.print(f"{profile.subject} {profile.subject_id}", style="bold", markup=False)
    out.print(profile.text or "Nothing is known yet.", markup=False)
    out.print(f"Written by {by}; as of {profile.as_of.date()}.", style="dim", markup=False)
    if not profile.rows:
        return
    table = Table(show_lines=True)
    for heading in ("aspect", "polarity", "strength", "n", "last", "quotes and their evidence"):
        table.add_column(heading, justify="right" if heading in ("strength", "n") else "left")
    for row in profile.rows:
        quotes = Text("\n").join(
            Text(f"“{quote.text}” ").append(quote.evidence_id, style="dim")
            for quote in row.quotes[:5]
        )
        if row.n > 5:
            quotes.append(f"\n… and {row.n - 5} more", style="dim")
        table.add_row(
            Text(row.label),
            row.polarity,
            f"{row.strength:.2f}",
            str(row.n),
            "" if row.last_at.year <= 1970 else str(row.last_at.date()),
            quotes,
        )
    out.print(table)


def _ids(stores: Stores, subject: Subject, text: str | None) -> list[str]:
    if text is None:
        return []
    if text.strip().isdecimal():
        return _first(stores, subject, int(text))
    if text.startswith("@"):
        try:
            lines = Path(text[1:]).read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{text[1:]} cannot be read: {error}", "one id a line") from error
        return [line for line in lines if line.strip()]
    ids = [part.strip() for part in text.split(",") if part.strip()]
    if not ids:
        raise InvalidInput(
            f"--{subject}s {text!r} names nobody", "give a number, or ids with commas between"
        )
    return ids


def _first(stores: Stores, subject: Subject, n: int) -> list[str]:
    """The first n by id that have evidence, then others of the catalogue."""
    if n == 0:
        raise InvalidInput(f"--{subject}s 0 asks for nothing", "leave it out, or give 1 or more")
    ids = stores.event_log.subjects_with_evidence(subject)[:n]
    if len(ids) < n:
        known = (
            (one.item_id for one in stores.catalog.items())
            if subject == "item"
            else (one.user_id for one in stores.catalog.users())
        )
        ids = list(dict.fromkeys([*ids, *known]))[:n]
    return ids


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidInput(
            f"--as-of {text!r} is no time", "write 2024-05-31 or 2024-05-31T12:00Z"
        ) from error
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
