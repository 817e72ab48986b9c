"""A folder of prompt files, read whole: ``NAME.vN.LANG.md``, every version in every language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources.abc import Traversable

from prompts.parse import parse_prompt
from prompts.prompt import LANGUAGES, Prompt, PromptError

# One version of one prompt, by language.
Version = Mapping[str, Prompt]

_FILE = re.compile(r"[a-z][a-z0-9_]*\.v[1-9]\d*\.(?P<lang>\w+)\.md")


def read_versions(folder: Traversable) -> dict[str, dict[int, Version]]:
    """Prompts by name, number and language. Only ``*.md`` files that are not hidden count.

    Raises:
        PromptError: names the file that is not valid, or the language that is missing.
    """
    found: dict[str, dict[int, dict[str, Prompt]]] = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.lower().endswith(".md") and not file.name.startswith("."):
            prompt = _read(file)
            found.setdefault(prompt.name, {}).setdefault(prompt.number, {})[prompt.lang] = prompt
    for name, versions in found.items():
        for number, version in versions.items():
            if absent := [lang for lang in LANGUAGES if lang not in version]:
                raise PromptError(
                    f"{folder}: {name}.v{number}.{absent[0]}.md is missing; a version has"
                    " every language, so that none is answered by another version"
                )
            _check_languages(folder, version)
    return {name: dict(versions) for name, versions in found.items()}


def file_name(prompt: Prompt) -> str:
    """The name of a prompt's file."""
    return f"{prompt.name}.v{prompt.number}.{prompt.lang}.md"


def check_same_use(prompt: Prompt, like: Prompt, where: object) -> None:
    """Code fills a prompt in and reads its answer, so every version is used the same way.

    Raises:
        PromptError: names the file and what differs.
    """
    if {(one.name, one.type) for one in prompt.inputs.values()} != {
        (one.name, one.type) for one in like.inputs.values()
    }:
        raise PromptError(f"{where}: the inputs are not those of {file_name(like)}")
    for name, spec in prompt.inputs.items():
        if like.inputs[name].untrusted and not spec.untrusted:
            raise PromptError(f"{where}: {name!r} is what strangers wrote: it must be untrusted")
        if like.inputs[name].optional and not spec.optional:
            raise PromptError(f"{where}: {name!r} may be empty: it must be optional")
    if (prompt.output, len(prompt.labels)) != (like.output, len(like.labels)):
        raise PromptError(f"{where}: output or labels are not of the kind of {file_name(like)}")


def _check_languages(folder: Traversable, version: Version) -> None:
    """One call may hold conversations of both languages: it has one list of stops."""
    en, zh = version["en"], version["zh"]
    where = folder / file_name(zh)
    check_same_use(zh, en, where)
    check_same_use(en, zh, folder / file_name(en))
    if (zh.tier, zh.stop) != (en.tier, en.stop):
        raise PromptError(f"{where}: tier or stop is not that of {file_name(en)}")


def _read(file: Traversable) -> Prompt:
    match = _FILE.fullmatch(file.name)
    if match is None or match["lang"] not in LANGUAGES:
        raise PromptError(f"{file}: a prompt's file is named NAME.vN.en.md or NAME.vN.zh.md")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"{file} cannot be read: {error}") from error
    prompt = parse_prompt(text, where=str(file))
    if file_name(prompt) != file.name:
        raise PromptError(f"{file} says that it is {prompt.version} in {prompt.lang}")
    return prompt
