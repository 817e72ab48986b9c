"""``palate prompts``: look at prompts, compare them, and choose which version is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from retrieval.errors import InvalidInput, NotFound
from server.cli.console import err, out, settings_from

if TYPE_CHECKING:
    from prompts.history import Promotion
    from prompts.library import PromptLibrary
    from prompts.prompt import Prompt

app = typer.Typer(no_args_is_help=True, help="Look at prompts, compare and promote versions.")

Reference = Annotated[
    str, typer.Argument(metavar="REF", help="rerank (production), rerank@2 or rerank@ALIAS.")
]
Lang = Annotated[Literal["en", "zh"], typer.Option(help="Language of the prompt.")]
Because = Annotated[str, typer.Option(help="Why; kept in the history.")]

_LINE_STYLES = {"+": "green", "-": "red", "@": "cyan"}
_DATA_MARK = r"(?m)^</?data \w+>$"


@app.command("list", epilog="Example: `palate prompts list`")
def list_prompts(ctx: typer.Context) -> None:
    """Every version of every prompt, and the aliases that stand for it."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    for column in ("name", "version", "languages", "tier", "output", "labels", "sha256"):
        table.add_column(column, no_wrap=True)
    table.add_column("aliases")
    with _spoken():
        library = _library(ctx)
        for name in library.names():
            aliases = library.aliases(name)
            for number in library.versions(name):
                both = [library.find(f"{name}@{number}", lang) for lang in ("en", "zh")]
                table.add_row(
                    name,
                    str(number),
                    "\n".join(one.lang for one in both),
                    both[0].tier,
                    both[0].output,
                    Text("\n".join(" ".join(one.labels) for one in both)),
                    "\n".join(one.sha256[:12] for one in both),
                    " ".join(alias for alias, of in aliases.items() if of == number),
                )
    out.print(table)


@app.command(epilog="Examples: `palate prompts show rerank`, `palate prompts show rerank@2`")
def show(ctx: typer.Context, reference: Reference, lang: Lang = "en") -> None:
    """Print a prompt's file as it is, front matter and all."""
    with _spoken():
        prompt = _library(ctx).find(reference, lang)
    typer.echo(prompt.source, nl=False)


@app.command(
    epilog=(
        "Examples: `palate prompts render rerank --input profile=@ann.txt --input card='Blue mug'`,"
        " `palate prompts render write_profile --input about='one item' --input rows='likes sound'"
        " --input rows='likes case'`"
    )
)
def render(
    ctx: typer.Context,
    reference: Reference,
    lang: Lang = "en",
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="NAME=VALUE",
            help="An input; @FILE reads a file. Give an input of lines once a line.",
        ),
    ] = None,
) -> None:
    """Print what a model would be shown, turn by turn, and the hash of all of it."""
    from prompts.prompt import conversation_sha256

    with _spoken():
        prompt = _library(ctx).find(reference, lang)
        turns = prompt.render(**_inputs(prompt, given or []))
    for turn in turns:
        out.print(f"── {turn['role']}", style="bold")
        content = Text(turn["content"])
        content.highlight_regex(_DATA_MARK, "cyan")
        out.print(content)
    out.print(
        f"── {prompt.version} {prompt.lang}, sha256 {conversation_sha256(turns)}", style="dim"
    )


@app.command(epilog="Example: `palate prompts diff rerank@1 rerank@2 --lang zh`")
def diff(
    ctx: typer.Context,
    first: Annotated[str, typer.Argument(metavar="REF_A", help="The old version.")],
    second: Annotated[str, typer.Argument(metavar="REF_B", help="The new version.")],
    lang: Lang = "en",
) -> None:
    """What changed between two versions; the exit code is 0 either way."""
    with _spoken():
        library = _library(ctx)
        old, new = library.find(first, lang), library.find(second, lang)
    lines = list(
        unified_diff(
            old.source.splitlines(),
            new.source.splitlines(),
            f"{old.version} {lang}",
            f"{new.version} {lang}",
            lineterm="",
        )
    )
    for line in lines:
        bold = line.startswith(("--- ", "+++ "))
        out.print(Text(line, style="bold" if bold else _LINE_STYLES.get(line[:1], "")))
    if not lines:
        out.print(f"{old.version} and {new.version} are the same file in {lang}", markup=False)


@app.command(
    epilog=(
        "Examples: `palate prompts promote rerank@2 production --run runs/ID`,"
        " `palate prompts promote rerank@2 canary --force --because 'to look at it'`"
    )
)
def promote(
    ctx: typer.Context,
    reference: Reference,
    alias: Annotated[str, typer.Argument(help="production, or a name of your own.")],
    run: Annotated[
        Path | None, typer.Option(help="Folder of the run that passed with this very text.")
    ] = None,
    because: Because = "",
    force: Annotated[
        bool, typer.Option("--force", help="Without proof; --because must say why.")
    ] = False,
) -> None:
    """Let an alias stand for another version, with the run that proves that it may."""
    from agent.prompting import own_folder
    from prompts import aliases

    folder = own_folder(settings_from(ctx))
    with _spoken():
        line = aliases.promote(
            folder, reference, alias, at=datetime.now(UTC), run=run, because=because, force=force
        )
    unseen = [lang for lang in line.sha256 if lang not in line.judged]
    if line.action == "promoted" and unseen:
        err.print(f"note: the run did not judge in {', '.join(unseen)}", markup=False)
    _say(line)


@app.command(epilog="Example: `palate prompts rollback production rerank --because 'worse live'`")
def rollback(
    ctx: typer.Context,
    alias: Annotated[str, typer.Argument(help="production, or a name of your own.")],
    name: Annotated[str, typer.Argument(help="The prompt.")],
    because: Because = "",
) -> None:
    """Undo the last promotion of an alias; once more undoes the one before."""
    from agent.prompting import own_folder
    from prompts import aliases

    folder = own_folder(settings_from(ctx))
    with _spoken():
        line = aliases.rollback(folder, alias, name, at=datetime.now(UTC), because=because)
    _say(line)


@app.command(epilog="Examples: `palate prompts history`, `palate prompts history rerank`")
def history(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Of this prompt only.")] = None,
) -> None:
    """Every promotion and rollback, oldest first, with the run that justified it."""
    from agent.prompting import own_folder
    from prompts.history import read_history

    with _spoken():
        if name is not None:
            _library(ctx).versions(name)
        lines = read_history(own_folder(settings_from(ctx)))
    shown = [line for line in lines if name in (None, line.name)]
    if not shown:
        out.print("nothing was promoted yet")
        return
    for line in shown:
        moved = f"{line.previous or 'none'} → {line.number}"
        run = f"  run {line.run} {line.verdict}" if line.run else ""
        out.print(
            f"{line.at:%Y-%m-%d %H:%M}  {line.name}@{line.alias}  {moved}  {line.action}{run}",
            markup=False,
        )
        out.print(Text(f"    {line.because}"))


def _library(ctx: typer.Context) -> PromptLibrary:
    from agent.prompting import own_folder
    from prompts.library import PromptLibrary

    return PromptLibrary(own_folder(settings_from(ctx)))


@contextmanager
def _spoken() -> Iterator[None]:
    """An error of a prompt as an error of the command."""
    from prompts.prompt import PromptError, UnknownPrompt

    try:
        yield
    except UnknownPrompt as error:
        raise NotFound(str(error), "see palate prompts list") from error
    except PromptError as error:
        raise InvalidInput(str(error), "see docs/prompts.md") from error


def _inputs(prompt: Prompt, given: list[str]) -> dict[str, str | list[str]]:
    """Inputs as they were typed; what is missing or unknown is left to the prompt."""
    texts: dict[str, str] = {}
    lines: dict[str, list[str]] = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not sign:
            raise InvalidInput(f"--input {one!r} has no value", "write --input NAME=VALUE")
        if value.startswith("@"):
            value = _read(Path(value[1:]))
        if name in prompt.inputs and prompt.inputs[name].type == "lines":
            lines.setdefault(name, []).extend(value.splitlines())
        elif name in texts:
            raise InvalidInput(f"--input {name} is given twice", "it takes one text")
        else:
            texts[name] = value
    return {**texts, **lines}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"{path} cannot be read: {error}", "give a text file in UTF-8"
        ) from error


def _say(line: Promotion) -> None:
    proof = f"; run {line.run} {line.verdict}" if line.run else ""
    out.print(
        f"{line.name}@{line.alias} is version {line.number} now"
        f" (before: {line.previous or 'none'}){proof}",
        markup=False,
    )
    out.print("a running server takes it at its next start")
