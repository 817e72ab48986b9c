"""Every version of every prompt, side by side, and which of them an alias stands for.

The shipped texts are in ``prompts/texts``. The operator's folder may add versions to them,
files of the same form with numbers that are not shipped, and a history of promotions.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from pathlib import Path

from prompts.files import Version, check_same_use, file_name, read_versions
from prompts.history import ALIAS, Promotion, check_unchanged, read_history
from prompts.prompt import LANGUAGES, Prompt, PromptError, UnknownPrompt

PRODUCTION = "production"

_REFERENCE = re.compile(rf"(?P<name>\w+)(?:@(?:(?P<number>[1-9]\d*)|(?P<alias>{ALIAS})))?")


class PromptLibrary:
    """The prompts there are. Read once: a promotion shows in the next library.

    Args:
        folder: the operator's own versions and promotions; it need not exist. ``None`` for
            the shipped prompts alone.

    Raises:
        PromptError: names the file that is not valid and what is wrong with it.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._versions = {name: dict(versions) for name, versions in _shipped().items()}
        self._defaults = _shipped_aliases()
        self._promotions: dict[tuple[str, str], Promotion] = {}
        if folder is None or not folder.exists():
            return
        if not folder.is_dir():
            raise PromptError(f"{folder} is no folder")
        self._add_own(folder)
        for line in read_history(folder):
            self._promotions[line.alias, line.name] = line

    def names(self) -> tuple[str, ...]:
        """Every prompt by name, in order."""
        return tuple(sorted(self._versions))

    def versions(self, name: str) -> tuple[int, ...]:
        """The numbers of a prompt's versions, lowest first.

        Raises:
            UnknownPrompt: there is no such prompt.
        """
        if name not in self._versions:
            raise UnknownPrompt(
                f"there is no prompt {name!r}; the prompts are {', '.join(self.names())}"
            )
        return tuple(sorted(self._versions[name]))

    def aliases(self, name: str) -> dict[str, int]:
        """What every alias of a prompt stands for, by alias, in order.

        Raises:
            UnknownPrompt: there is no such prompt.
        """
        self.versions(name)
        found = {alias: of[name] for alias, of in self._defaults.items() if name in of}
        found |= {
            line.alias: line.number for line in self._promotions.values() if line.name == name
        }
        return dict(sorted(found.items()))

    def resolve(self, reference: str) -> tuple[str, int]:
        """The name and number of ``rerank@2``, ``rerank@ALIAS`` or ``rerank`` (production).

        Raises:
            UnknownPrompt: no prompt goes by it; tells what there is.
            PromptError: an alias stands for a version that is gone or was edited since.
        """
        match = _REFERENCE.fullmatch(reference)
        if match is None:
            raise UnknownPrompt(
                f"{reference[:80]!r} refers to no prompt; write NAME, NAME@NUMBER or NAME@ALIAS"
            )
        name = match["name"]
        numbers = self.versions(name)
        if match["number"] is not None:
            number, line = int(match["number"]), None
        else:
            alias = match["alias"] or PRODUCTION
            number = self.aliases(name).get(alias, 0)
            line = self._promotions.get((alias, name))
        if number in numbers:
            if line is not None:
                check_unchanged(line, self._sha256(name, number))
            return name, number
        if line is not None:
            raise PromptError(
                f"{name}@{line.alias} is version {number}, whose files are gone; put them back,"
                " or roll back"
            )
        known = ", ".join(f"{name}@{one}" for one in (*numbers, *self.aliases(name)))
        raise UnknownPrompt(f"there is no {reference}; there is {known}")

    def find(self, reference: str, lang: str) -> Prompt:
        """The prompt of a reference, in a language.

        Args:
            reference: see ``resolve``.
            lang: another language than en or zh gets English, of the same version.

        Raises:
            UnknownPrompt, PromptError: see ``resolve``.
        """
        name, number = self.resolve(reference)
        return self._versions[name][number][lang if lang in LANGUAGES else "en"]

    def sha256(self, reference: str) -> dict[str, str]:
        """The hash of a version's files, by language.

        Raises:
            UnknownPrompt, PromptError: see ``resolve``.
        """
        return self._sha256(*self.resolve(reference))

    def _sha256(self, name: str, number: int) -> dict[str, str]:
        return {lang: prompt.sha256 for lang, prompt in self._versions[name][number].items()}

    def _add_own(self, folder: Path) -> None:
        for name, versions in read_versions(folder).items():
            shipped = self._versions.get(name)
            if shipped is None:
                raise PromptError(
                    f"{folder / file_name(next(iter(versions.values()))['en'])}: nothing asks for"
                    f" a prompt {name!r}; the prompts are {', '.join(self.names())}"
                )
            for number, version in versions.items():
                self._check_own(folder, version, shipped)
                self._versions[name] = {**self._versions[name], number: version}

    def _check_own(self, folder: Path, version: Version, shipped: dict[int, Version]) -> None:
        for lang, prompt in version.items():
            where = folder / file_name(prompt)
            if prompt.number in shipped:
                raise PromptError(
                    f"{where}: version {prompt.number} is shipped already; give yours another"
                    " number"
                )
            check_same_use(prompt, shipped[min(shipped)][lang], where)


@cache
def _shipped() -> dict[str, dict[int, Version]]:
    return read_versions(resources.files("prompts").joinpath("texts"))


@cache
def _shipped_aliases() -> dict[str, dict[str, int]]:
    path = resources.files("prompts").joinpath("texts", "aliases.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))
