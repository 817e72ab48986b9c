"""What every command shares: the two consoles and the settings behind the global flags."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.logging import RichHandler

from agent.settings import Settings, read_settings

_PACKAGES = ("retrieval", "prompts", "agent", "server", "eval")

out = Console(highlight=False, soft_wrap=True)
"""Results go here, so that they can be piped."""

err = Console(stderr=True, highlight=False, soft_wrap=True)
"""Progress, notes and errors go here."""


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """The flags that stand before the command's name."""

    home: Path | None = None
    config: Path | None = None
    verbose: bool = False


def options_from(ctx: typer.Context) -> GlobalOptions:
    """The global flags of this call; the defaults when the command runs outside ``palate``."""
    found = ctx.find_object(GlobalOptions)
    return found if found is not None else GlobalOptions()


def _is_ours(logger: str) -> bool:
    return logger.partition(".")[0] in _PACKAGES


def settings_from(
    ctx: typer.Context, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> Settings:
    """Settings of this call: file, environment, global flags, then ``overrides``.

    Args:
        ctx: the command's context.
        overrides: the command's own flags by section and name, e.g.
            ``{"server": {"port": 9000}}``; a value of ``None`` means "flag not given".

    Raises:
        InvalidInput: names the setting, its value and what would be accepted.
    """
    options = options_from(ctx)
    given: dict[str, dict[str, Any]] = {
        section: {name: value for name, value in values.items() if value is not None}
        for section, values in (overrides or {}).items()
    }
    if options.home is not None:
        given.setdefault("store", {})["home"] = options.home
    return read_settings(options.config, overrides=given)


def show_log(verbose: bool) -> None:
    """Send the log to stderr: warnings, and with ``verbose`` what the parts are doing.

    Only Palate's own loggers are turned up; the libraries below stay at warnings, also
    those that set a level of their own.
    """
    handler = RichHandler(console=err, show_path=False, rich_tracebacks=False)
    handler.addFilter(lambda record: record.levelno >= logging.WARNING or _is_ours(record.name))
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    logging.getLogger().handlers[:] = [handler]
    logging.getLogger().setLevel(logging.WARNING)
    for package in _PACKAGES:
        logging.getLogger(package).setLevel(logging.DEBUG if verbose else logging.WARNING)
