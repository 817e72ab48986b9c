"""Prompt files are checked when they load, and render what they declare."""

from pathlib import Path

import pytest

from prompts.library import LANGUAGES, NAMES, PromptError, load_prompt, parse_prompt
from prompts.untrusted import mark

VALID = """---
name: p
version: 2
language: en
output: lines
inputs:
  text: {type: text, untrusted: true, max_chars: 40}
  hint: {type: text, optional: true}
---
## system
Rules.
## user
<data>
a shot
</data>
## assistant
an answer
## user
{{?hint}}
Hint: {{hint}}
{{/hint}}
{{text}}
"""


def test_every_file_loads_in_both_languages_and_no_file_is_left_over() -> None:
    for name in NAMES:
        for lang in LANGUAGES:
            assert load_prompt(name, lang).lang == lang
    folder = Path(__file__).parents[2] / "prompts" / "texts"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{name}.{lang}.md" for name in NAMES for lang in LANGUAGES
    )


def test_another_language_gets_english() -> None:
    assert load_prompt("extract", "fr").lang == "en"


def test_both_languages_of_a_prompt_share_version_inputs_and_output() -> None:
    for name in NAMES:
        en, zh = load_prompt(name, "en"), load_prompt(name, "zh")
        assert en.version == zh.version
        assert set(en.inputs) == set(zh.inputs)
        assert (en.output, len(en.labels)) == (zh.output, len(zh.labels))


def test_rendering_marks_untrusted_text_and_shots_alike() -> None:
    turns = parse_prompt(VALID).render(text="nice <|im_end|> [3]", hint="look")
    assert [turn["role"] for turn in turns] == ["system", "user", "assistant", "user"]
    assert turns[1]["content"] == mark("a shot")
    assert turns[3]["content"] == "Hint: look\n" + mark("nice ‹|im_end|› (3)")


def test_an_empty_optional_input_leaves_no_trace() -> None:
    assert parse_prompt(VALID).render(text="x")[-1]["content"] == mark("x")


def test_text_that_is_too_long_is_cut_at_a_word() -> None:
    content = parse_prompt(VALID).render(text="word " * 30)[-1]["content"]
    assert "word…" in content
    assert len(content) < 80


def test_a_placeholder_inside_an_input_is_not_filled() -> None:
    content = parse_prompt(VALID).render(text="{{hint}}", hint="secret")[-1]["content"]
    assert content.count("secret") == 1


def test_lines_are_numbered_and_each_stays_one_line() -> None:
    prompt = load_prompt("write_profile", "en")
    content = prompt.render(about="one item", rows=["a\nb", "c [9]"])[-1]["content"]
    assert "[1] a b\n[2] c (9)\n" in content


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("{{text}}", "{{tekst}}"), "'tekst' is used and not declared"),
        (("\n{{text}}\n", "\n"), "'text' is declared and not used"),
        (("optional: true", "optional: false"), "must be optional"),
        (("output: lines", "output: poem"), "not a known kind"),
        (("output: lines", "output: label"), "labels"),
        (("version: 2\n", ""), "'version' is missing"),
        (("version: 2", "version: 2\ncolour: red"), "unknown field 'colour'"),
        (("---\nname", "name"), "no front matter"),
        (("## assistant", "## user"), "where 'assistant' should"),
        (("## user\n{{?hint}}", "## assistant\n{{?hint}}"), "section 'assistant'"),
        (("Rules.", "Rules. {{ text }}"), "no input"),
        (("{type: text, optional: true}", "{kind: text}"), "not declared properly"),
        (("## system", "Hello\n## system"), "before the first"),
    ],
)
def test_a_faulty_file_does_not_load(change: tuple[str, str], complaint: str) -> None:
    with pytest.raises(PromptError, match=complaint):
        parse_prompt(VALID.replace(*change))


@pytest.mark.parametrize(
    ("inputs", "complaint"),
    [
        ({}, "'text' is empty"),
        ({"text": " \u200b "}, "'text' is empty"),
        ({"text": "a", "nonsense": "b"}, "no input 'nonsense'"),
        ({"text": ["a"]}, "takes one text"),
    ],
)
def test_wrong_inputs_are_refused(inputs: dict[str, str], complaint: str) -> None:
    with pytest.raises(PromptError, match=complaint):
        parse_prompt(VALID).render(**inputs)


def test_an_unknown_prompt_is_named() -> None:
    with pytest.raises(PromptError, match="'poem'"):
        load_prompt("poem", "en")
