"""The demo: from the shop's files to three answers with reasons, then a running service.

    .venv/bin/python demo/run.py [--once] [--home FOLDER] [--port PORT]

``make demo`` runs it. Every stage keeps what it did under the home folder, so a second run
goes through from caches. Settings are read as always (``palate.toml``, ``PALATE_…``).
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from socket import socket
from threading import Thread

from rich.table import Table

from agent.build import build_recommender
from agent.captioner import choose_captioner
from agent.fitting.run import fit_home
from agent.fitting.words import served
from agent.fusion_file import FUSION_FILE
from agent.ingest import ingest
from agent.models.late import LateModel, late_language_model
from agent.models.prepare import prepare
from agent.models.running import choose_model
from agent.ports import LanguageModel
from agent.profiles.build import build_profiles
from agent.profiles.report import BuildReport
from agent.progress import ConsoleProgress, spoken_seconds
from agent.prompting import open_prompts
from agent.recommend import Recommender
from agent.settings import Settings, read_settings
from agent.stores import Stores, open_stores
from retrieval.errors import (
    InvalidInput,
    ModelTimeout,
    ModelUnavailable,
    NotFound,
    Overloaded,
    PalateError,
)
from retrieval.types import Query, Subject
from server.app import create_app
from server.auth import require_closed_door
from server.cli.console import err, out
from server.cli.recommend import print_answer
from server.listen import bound_socket, serve_until_stopped, sigterm_as_exit, url_of

DEMO = Path(__file__).parent
REQUESTS = (
    ("Hanna is known: she likes bright light roasts", Query(user_id="hanna", n=4)),
    (
        "A stranger asks in English",
        Query(text="a quiet grinder for early mornings, the baby is asleep", n=3),
    ),
    ("A stranger asks in Chinese", Query(text="晚上喝的，不含咖啡因，最好有花香", n=3)),
)


class Ledger:
    """What the stages took and what the model was asked."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.calls = 0
        self.tokens_in = 0
        self.tokens_out = 0

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        out.print()
        out.rule(f"[bold]{len(self.seconds) + 1}. {title}", align="left")
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[title] = time.monotonic() - began

    def show(self) -> None:
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("stage")
        table.add_column("took", justify="right")
        for title, seconds in self.seconds.items():
            table.add_row(title, spoken_seconds(seconds))
        table.add_row("together", spoken_seconds(sum(self.seconds.values())), style="bold")
        out.print()
        out.print(table)
        out.print(
            f"The language model was asked {self.calls:,} times in this run: "
            f"{self.tokens_in:,} tokens in, {self.tokens_out:,} out."
        )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The Palate demo shop, end to end.")
    parser.add_argument("--once", action="store_true", help="exit after the three answers")
    parser.add_argument("--home", type=Path, default=DEMO / "home", help="where it is all kept")
    parser.add_argument("--port", type=int, help="port to serve on; otherwise the setting's")
    given = parser.parse_args(arguments)
    once = given.once or os.environ.get("DEMO_ONCE", "") not in ("", "0")
    try:
        run(given.home, given.port, once=once)
    except PalateError as error:
        err.print(f"error: {error.message}", markup=False)
        if error.hint:
            err.print(f"hint: {error.hint}", markup=False)
        return error.exit_code
    except KeyboardInterrupt:
        err.print("Stopped. What was done is kept; run it again to go on.")
        return 130
    return 0


def run(home: Path, port: int | None, *, once: bool) -> None:
    overrides: dict[str, dict[str, object]] = {"store": {"home": home}}
    if port is not None:
        overrides["server"] = {"port": port}
    settings = read_settings(overrides=overrides)
    ledger = Ledger()
    with ExitStack() as running:
        running.enter_context(sigterm_as_exit())
        if not once:
            require_closed_door(settings.server)
            bound = running.enter_context(_socket(settings, fixed=port is not None))
        progress = running.enter_context(ConsoleProgress(err))
        with ledger.stage("The language model"):
            model = _model(settings, progress, running)
            # A home that was finished once answers from its caches; the model joins later.
            if once or not (settings.store.home / FUSION_FILE).is_file():
                model = _waited(model, progress)
            progress.close()
        with open_stores(settings) as stores:
            with ledger.stage("The shop comes in"):
                _ingest(settings, stores, model, progress)
            with ledger.stage("Profiles of items and people"):
                model = _profiles(settings, stores, model, progress, ledger)
            with ledger.stage("What each source is worth"):
                _fit(stores, progress)
        with ledger.stage("The service"):
            progress.start("loading the catalogue and fitting the sources", None)
            recommender = build_recommender(settings, model=model)
            running.enter_context(closing(recommender))
            progress.close()
        if isinstance(model, LateModel) and not model.ready:
            _say_where(bound)
            out.print("The language model joins in a minute or two; until then the fused score")
            out.print("ranks. The three answers come when it is there.")
            Thread(target=_show, args=(recommender, ledger), daemon=True).start()
        else:
            _show(recommender, ledger)
            if once:
                return
            _say_where(bound)
        serve_until_stopped(create_app(settings, recommender=recommender), bound, settings.server)
    out.print("Stopped.")


def _say_where(bound: socket) -> None:
    out.print()
    out.print(f"Palate answers at [bold]{url_of(bound)}[/bold] (stop with Ctrl-C)")


def _show(recommender: Recommender, ledger: Ledger) -> None:
    with ledger.stage("Three answers"):
        if isinstance(recommender.model, LateModel):
            with suppress(ModelUnavailable):  # then each answer says why
                recommender.model.wait()
        _answer(recommender, ledger)
    ledger.show()


def _waited(model: LanguageModel | None, progress: ConsoleProgress) -> LanguageModel | None:
    """The model once it is there; ``None``, said aloud, when it cannot be started."""
    if not isinstance(model, LateModel):
        return model
    progress.start("starting the language model", None)
    try:
        model.wait()
    except ModelUnavailable as error:
        progress.note(f"No language model: {error.message}.")
        progress.note("Going on without: reviews stay unread and the fused score alone ranks.")
        return None
    return model


@contextmanager
def _socket(settings: Settings, *, fixed: bool) -> Iterator[socket]:
    """The configured port, or any free one when it is taken and nobody insisted."""
    server = settings.server
    try:
        with bound_socket(server.host, server.port) as bound:
            yield bound
            return
    except InvalidInput:
        if fixed:
            raise
    with bound_socket(server.host, 0) as bound:
        yield bound


def _model(
    settings: Settings, progress: ConsoleProgress, running: ExitStack
) -> LanguageModel | None:
    """The model that the settings ask for, fetched first where needed; ``None``, said aloud."""
    llm = settings.llm
    try:
        if not llm.base_url and llm.model not in ("none", "scripted"):
            entry = choose_model(llm, progress)
            prepare(entry, llm.cache_dir, progress)
            settings = settings.model_copy(
                update={"llm": llm.model_copy(update={"model": entry.name})}
            )
        model = running.enter_context(late_language_model(settings, progress))
    except PalateError as error:
        progress.note(f"No language model: {error.message}.")
        if error.hint:
            progress.note(f"  ({error.hint})")
        model = None
    if model is None:
        progress.note("Going on without: reviews stay unread and the fused score alone ranks.")
    return model


def _ingest(
    settings: Settings, stores: Stores, model: LanguageModel | None, progress: ConsoleProgress
) -> None:
    report = ingest(
        DEMO / "shop",
        catalog=stores.catalog,
        event_log=stores.event_log,
        captioner=choose_captioner(settings, model, progress),
        strict=True,
        progress=progress,
        rejects_path=settings.store.home / "rejects.jsonl",
    )
    progress.close()
    for table, read in report.read.items():
        out.print(f"{table}: {read:,} rows, {report.new[table]:,} new")
    pictures, written, _ = report.captions
    out.print(f"pictures: {pictures:,}, {written:,} described now")
    with_caption = _caption_of(stores, "grinder-electric")
    if with_caption:
        out.print(f"for example grinder-electric: {with_caption}", markup=False)


def _caption_of(stores: Stores, item_id: str) -> str:
    evidence = stores.event_log.evidence("item", item_id)
    captions = [one.text for one in evidence if one.kind == "caption" and one.text]
    return captions[-1] if captions else ""


def _profiles(
    settings: Settings,
    stores: Stores,
    model: LanguageModel | None,
    progress: ConsoleProgress,
    ledger: Ledger,
) -> LanguageModel | None:
    """Builds them; returns the model, or ``None`` when it was lost on the way."""

    def build(reader: LanguageModel | None) -> BuildReport:
        # Without a reader only who has no profile gets one: what was read before stays.
        items, users = _without_profile(stores) if reader is None else (None, None)
        return build_profiles(
            items=items,
            users=users,
            catalog=stores.catalog,
            event_log=stores.event_log,
            profiles=stores.profiles,
            model=reader,
            prompts=open_prompts(settings),
            embedder=stores.embedder,
            item_index=stores.item_index,
            user_index=stores.user_index,
            progress=progress,
            **settings.profiles.model_dump(),
        )

    try:
        try:
            report = build(model)
        except ModelUnavailable:
            # Something changed since the last run: what is new waits for the model after all.
            model = _waited(model, progress)
            report = build(model)
    except (ModelUnavailable, ModelTimeout, Overloaded) as error:
        progress.note(f"The language model was lost: {error.message}. Run again to go on reading.")
        model, report = None, build(None)
    progress.close()
    ledger.calls += report.calls
    ledger.tokens_in += report.prompt_tokens
    ledger.tokens_out += report.completion_tokens
    out.print(
        f"{report.calls:,} calls now, {report.texts_cached:,} texts from the cache; "
        f"{report.lines:,} lines read, {report.malformed:,} malformed and "
        f"{report.quotes_dropped:,} quotes not in their source were dropped"
    )
    shown: tuple[tuple[Subject, str], ...] = (("user", "hanna"), ("item", "coffee-yirgacheffe"))
    for subject, subject_id in shown:
        profile = stores.profiles.get(subject, subject_id)
        if profile is not None and profile.text:
            out.print(f"{subject} {subject_id}: {profile.text}", markup=False)
    return model


def _without_profile(stores: Stores) -> tuple[list[str], list[str]]:
    """Items and users whose profile is not stored."""
    items = [item.item_id for item in stores.catalog.items()]
    users = [user.user_id for user in stores.catalog.users()]
    return (
        [one for one in items if stores.profiles.version("item", one) is None],
        [one for one in users if stores.profiles.version("user", one) is None],
    )


def _fit(stores: Stores, progress: ConsoleProgress) -> None:
    fitted = fit_home(stores, progress)
    progress.close()
    found = served(fitted.certificate)
    out.print(f"{found.word}. {found.sentence}", markup=False)
    out.print(f"Certificate: {fitted.page}", markup=False)


def _answer(recommender: Recommender, ledger: Ledger) -> None:
    for title, query in REQUESTS:
        out.print()
        asked = f"user {query.user_id}" if query.user_id else f"“{query.text}”"
        out.print(f"[bold cyan]{title}[/bold cyan] ({asked})")
        try:
            answer = recommender.recommend(query)
        except NotFound as error:
            raise InvalidInput(
                f"{error.message}: this home holds another shop", "give an empty folder with --home"
            ) from error
        print_answer(answer, out)
        ledger.calls += answer.trace.calls
        ledger.tokens_in += answer.trace.tokens


if __name__ == "__main__":
    sys.exit(main())
