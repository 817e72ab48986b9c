"""``palate``: the command line. Every command's file stands beside this one.

Exit codes: 0 done; 1 something unexpected; 2 bad input or bad usage; 3 not found;
4 forbidden; 5 a store failed; 6 no language model; 130 interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Annotated

import typer

from retrieval.errors import PalateError
from server.cli import (
    convert,
    fit,
    ingest,
    llm,
    profiles,
    prompts,
    recommend,
    requests,
    rules,
    serve,
)
from server.cli.console import GlobalOptions, err, out, show_log

app = typer.Typer(
    name="palate",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog=(
        "Examples: `palate ingest demo/shop`, `palate profiles build`, "
        '`palate recommend --user U12 --query "a dry white wine" -n 5`, `palate serve`'
    ),
)


_crash_home: list[Path] = []  # --home, for a crash that comes before or without settings


def _show_version(wanted: bool) -> None:
    if wanted:
        out.print(f"palate {version('palate')}")
        raise typer.Exit


@app.callback()
def global_flags(
    ctx: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Folder of the database, index and logs.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings file; otherwise PALATE_CONFIG or ./palate.toml.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")] = False,
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="And exit.")
    ] = False,
) -> None:
    """Recommendations whose reasons can be checked, on your own machine."""
    ctx.obj = GlobalOptions(home=home, config=config, verbose=verbose)
    if home is not None:
        _crash_home.append(home)
    show_log(verbose)


def _add_groups_of_siblings() -> None:
    # server never imports eval: a sibling package announces its group in its metadata.
    for group in entry_points(group="palate.commands"):
        app.add_typer(group.load(), name=group.name)


for command in (convert, ingest, fit, recommend, serve):
    command.register(app)
app.add_typer(llm.app, name="llm")
app.add_typer(profiles.app, name="profiles")
app.add_typer(prompts.app, name="prompts")
app.add_typer(requests.app, name="requests")
app.add_typer(rules.app, name="rules")
_add_groups_of_siblings()


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``palate`` and return its exit code; errors become one line and a hint on stderr."""
    # A shell starts what it puts in the background with Ctrl-C ignored, and so would every
    # command that says "Ctrl-C stops it" be deaf to `kill -INT`.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        app(args=None if argv is None else list(argv), prog_name="palate")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except PalateError as error:
        err.print(f"error: {error.message}", markup=False)
        if error.hint:
            err.print(f"hint: {error.hint}", markup=False)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # the last line of defence: nobody should meet a stack trace
        err.print(f"error: something unexpected happened ({type(error).__name__})", markup=False)
        err.print(f"hint: the details are in {_write_crash_log()}", markup=False)
        return 1
    finally:
        if err.is_terminal:
            err.show_cursor()
    return 0


def _write_crash_log() -> Path:
    """Write the current exception's trace where it can be found, and say where."""
    default = Path(os.environ.get("PALATE_STORE_HOME", "palate-home"))
    folder = (_crash_home[-1] if _crash_home else default) / "logs"
    name = time.strftime("error-%Y%m%d-%H%M%S.log", time.gmtime())
    text = traceback.format_exc()
    try:
        folder.mkdir(exist_ok=True)  # not parents: no home is made just to crash in
        path = folder / name
        path.write_text(text, encoding="utf-8")
    except OSError:
        path = Path(tempfile.gettempdir()) / f"palate-{name}"
        path.write_text(text, encoding="utf-8")
    return path.absolute()


if __name__ == "__main__":
    sys.exit(main())
