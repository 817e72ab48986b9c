"""Versions side by side, the operator's beside the shipped ones, and what a reference finds."""

import tomllib
from pathlib import Path

import pytest

from prompts.files import check_same_use
from prompts.library import PromptLibrary
from prompts.prompt import LANGUAGES, PromptError, UnknownPrompt
from tests.prompts.folders import add_version

TEXTS = Path(__file__).parents[2] / "prompts" / "texts"


def test_every_shipped_file_is_a_version_and_every_name_is_in_production() -> None:
    library = PromptLibrary()
    assert sorted(path.name for path in TEXTS.iterdir()) == sorted(
        [
            "aliases.toml",
            *(
                f"{name}.v{number}.{lang}.md"
                for name in library.names()
                for number in library.versions(name)
                for lang in LANGUAGES
            ),
        ]
    )
    aliases = tomllib.loads((TEXTS / "aliases.toml").read_text(encoding="utf-8"))
    assert tuple(aliases["production"]) == library.names()
    for name in library.names():
        assert library.find(name, "en").number == aliases["production"][name]


def test_another_language_gets_english_of_the_same_version(tmp_path: Path) -> None:
    add_version(tmp_path, "extract", 2)
    library = PromptLibrary(tmp_path)
    for lang in ("fr", "", "EN"):
        prompt = library.find("extract@2", lang)
        assert (prompt.lang, prompt.number) == ("en", 2)


def test_own_versions_stand_beside_the_shipped_and_production_stays(tmp_path: Path) -> None:
    add_version(tmp_path, "rerank", 3, edit=lambda text: text.replace("Judge", "Decide"))
    (tmp_path / "notes.txt").write_text("not a prompt", encoding="utf-8")
    (tmp_path / ".rerank.v9.en.md").write_text("an editor's own", encoding="utf-8")
    library = PromptLibrary(tmp_path)
    assert library.versions("rerank") == (1, 3)
    assert library.find("rerank", "en").version == "rerank@1"
    assert library.find("rerank@production", "zh").version == "rerank@1"
    assert "Decide" in library.find("rerank@3", "en").source
    assert PromptLibrary().versions("rerank") == (1,)
    assert library.aliases("rerank") == {"production": 1}


def test_a_folder_that_is_not_there_adds_nothing(tmp_path: Path) -> None:
    assert PromptLibrary(tmp_path / "none").versions("rerank") == (1,)


def test_a_byte_order_mark_is_no_part_of_a_prompt(tmp_path: Path) -> None:
    add_version(tmp_path, "rerank", 2)
    plain = PromptLibrary(tmp_path).sha256("rerank@2")
    for path in tmp_path.glob("*.md"):
        path.write_text("\ufeff" + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert PromptLibrary(tmp_path).sha256("rerank@2") == plain


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("poem", "no prompt 'poem'; the prompts are caption_image, extract, rerank"),
        ("rerank@2", "no rerank@2; there is rerank@1, rerank@production"),
        ("rerank@canary", "no rerank@canary; there is rerank@1, rerank@production"),
        ("rerank@", "refers to no prompt; write NAME, NAME@NUMBER or NAME@ALIAS"),
        ("rerank@0", "refers to no prompt"),
        ("rerank@1@2", "refers to no prompt"),
        ("../rerank", "refers to no prompt"),
        ("", "refers to no prompt"),
    ],
)
def test_a_reference_to_nothing_tells_what_there_is(reference: str, told: str) -> None:
    with pytest.raises(UnknownPrompt, match=told):
        PromptLibrary().find(reference, "en")


@pytest.mark.parametrize(
    ("name", "number", "edit", "told"),
    [
        ("rerank", 1, str, r"rerank\.v1\.en\.md: version 1 is shipped already"),
        ("rerank", 2, lambda t: t.replace("version: 2", "version: 3"), "says that it is rerank@3"),
        ("rerank", 2, lambda t: t.replace("{{card}}", "{{kard}}"), "'kard' is used and not decl"),
        (
            "rerank",
            2,
            lambda t: t.replace("  card:", "  s: {}\n  card:").replace("{{card}}", "{{s}}{{card}}"),
            r"v2\.en\.md: the inputs are not those of rerank\.v1\.en\.md",
        ),
        (
            "rerank",
            2,
            lambda t: t.replace("card: {type: text, untrusted: true", "card: {type: text"),
            "'card' is what strangers wrote: it must be untrusted",
        ),
        (
            "rerank",
            2,
            lambda t: t.replace("optional: true, max_chars: 300", "max_chars: 300")
            .replace("optional: true, max_chars: 150", "max_chars: 150")
            .replace("{{?query}}", "")
            .replace("{{/query}}", ""),
            "'query' may be empty: it must be optional",
        ),
        (
            "rerank",
            2,
            lambda t: t.replace('"no"]', '"no", "maybe"]').replace('"否"]', '"否", "也许"]'),
            "output or labels are not of the kind of rerank.v1.en.md",
        ),
    ],
)  # fmt: skip
def test_an_own_file_that_cannot_be_used_is_named(
    tmp_path: Path, name: str, number: int, edit: object, told: str
) -> None:
    add_version(tmp_path, name, number, edit=edit)  # type: ignore[arg-type]
    with pytest.raises(PromptError, match=told):
        PromptLibrary(tmp_path)


@pytest.mark.parametrize(
    "name", ["rerank.en.md", "rerank.v02.en.md", "rerank.v2.fr.md", "README.md"]
)
def test_a_file_with_another_name_is_no_version(tmp_path: Path, name: str) -> None:
    add_version(tmp_path, "rerank", 2)
    (tmp_path / "rerank.v2.en.md").rename(tmp_path / name)
    with pytest.raises(PromptError, match=f"{name}: a prompt's file is named"):
        PromptLibrary(tmp_path)


def test_a_version_in_one_language_is_refused(tmp_path: Path) -> None:
    add_version(tmp_path, "rerank", 2)
    (tmp_path / "rerank.v2.zh.md").unlink()
    with pytest.raises(PromptError, match=r"rerank\.v2\.zh\.md is missing"):
        PromptLibrary(tmp_path)


def test_languages_that_stop_at_other_texts_are_refused(tmp_path: Path) -> None:
    add_version(tmp_path, "extract", 2)
    path = tmp_path / "extract.v2.zh.md"
    path.write_text(path.read_text(encoding="utf-8").replace('stop: ["\\n\\n"]', 'stop: ["。"]'))
    with pytest.raises(PromptError, match=r"extract\.v2\.zh\.md: tier or stop"):
        PromptLibrary(tmp_path)


def test_a_prompt_that_nothing_asks_for_is_refused(tmp_path: Path) -> None:
    add_version(
        tmp_path, "rerrank", 2, like="rerank", edit=lambda t: t.replace("rerank", "rerrank")
    )
    with pytest.raises(PromptError, match=r"rerrank\.v2\.en\.md: nothing asks for a prompt"):
        PromptLibrary(tmp_path)


def test_a_file_or_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "rerank.v2.en.md").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(PromptError, match=r"rerank\.v2\.en\.md cannot be read"):
        PromptLibrary(tmp_path)
    with pytest.raises(PromptError, match="is no folder"):
        PromptLibrary(tmp_path / "rerank.v2.en.md")


def test_every_shipped_version_is_used_as_the_first_is() -> None:
    library = PromptLibrary()
    for name in library.names():
        for number in library.versions(name):
            for lang in LANGUAGES:
                prompt = library.find(f"{name}@{number}", lang)
                check_same_use(prompt, library.find(f"{name}@1", lang), prompt.version)
