"""Where the shop's rules are kept: a TOML file that the settings name."""

from __future__ import annotations

from pathlib import Path

from agent.settings import Settings
from retrieval.errors import InvalidInput
from retrieval.rules.parse import parse_rules
from retrieval.rules.rules import NO_RULES, Rules


def rules_of(settings: Settings) -> Rules:
    """The rules that ``settings.rules.file`` names; none when it names no file.

    Raises:
        InvalidInput: as ``read_rules``.
    """
    return read_rules(Path(settings.rules.file).expanduser()) if settings.rules.file else NO_RULES


def read_rules(path: Path) -> Rules:
    """Read and check a file of rules.

    Raises:
        InvalidInput: there is no such file, it cannot be read, or a rule in it makes no sense.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InvalidInput(
            f"no rules file at {path}", "check rules.file in the settings"
        ) from error
    except OSError as error:
        raise InvalidInput(f"the rules file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the rules file {path} is not UTF-8: {error}") from error
    return parse_rules(text, path.name)
