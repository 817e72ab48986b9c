"""A prompt file is checked when it loads, and renders what it declares."""

import pytest

from prompts.library import PromptLibrary
from prompts.parse import parse_prompt
from prompts.prompt import PromptError, conversation_sha256
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
    prompt = PromptLibrary().find("write_profile", "en")
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
        (("version: 2", "version: two"), "version 'two' is not a whole number"),
        (("version: 2", "version: 0"), "version 0 is not a whole number"),
        (("version: 2", "version: true"), "version True is not a whole number"),
        (("version: 2", "version: 2024-13-45"), "not YAML"),
        (("name: p", "name: [p]"), "name .* is not one line of text"),
        (("name: p", "name: p\nabout: ''"), "about '' is not one line of text"),
        (("name: p", 'name: p\nabout: "a\\nb"'), "about .* is not one line of text"),
        (("language: en", "language: fr"), "'fr' is not a known kind; say en, zh"),
        (("language: en", "language: en\ntier: huge"), "'huge' .* say tiny, small, large"),
        (("output: lines", "output: label\nlabels: [yes, no]"), 'write them as \\["yes", "no"'),
        (("output: lines", 'output: label\nlabels: "yes no"'), "labels is no list"),
        (("output: lines", 'output: label\nlabels: ["a", "a"]'), "not all different"),
        (("output: lines", "output: lines\nstop: x"), "stop is no list"),
        (("output: lines", "output: lines\nmax_tokens: 0"), "max_tokens 0"),
        (("{type: text, optional: true}", "{type: number, optional: true}"), "type of 'hint'"),
        (("untrusted: true", "untrusted: 'no'"), "untrusted of 'text' is neither"),
        (("max_chars: 40", "max_chars: -1"), "max_chars of 'text'"),
        (("  text: {", "  true: {"), "no mapping of names"),
        (("inputs:\n", "inputs: [text]\nold:\n"), "unknown field 'old'"),
        (("{{/hint}}\n{{text}}", "{{text}}\n{{/hint}}"), "'text' would vanish"),
        (("Hint: {{hint}}", "Hint: {{hint}} {{ x }}"), "that is no input"),
        (("a shot", "a shot {{text}}"), "between <data> marks"),
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


def test_what_is_declared_is_what_the_prompt_says_of_itself() -> None:
    text = VALID.replace("language: en", 'language: en\nabout: "what it is for"\ntier: tiny')
    prompt = parse_prompt(text)
    assert (prompt.version, prompt.lang, prompt.tier) == ("p@2", "en", "tiny")
    assert (prompt.about, prompt.source) == ("what it is for", text)
    assert parse_prompt(VALID).about == ""


def test_line_ends_of_another_system_change_nothing() -> None:
    assert parse_prompt(VALID.replace("\n", "\r\n")) == parse_prompt(VALID)


def test_the_hash_of_a_conversation_is_that_of_its_roles_and_contents() -> None:
    prompt = parse_prompt(VALID)
    assert conversation_sha256(prompt.render(text="a")) == conversation_sha256(
        prompt.render(text=" a ")
    )
    assert conversation_sha256(prompt.render(text="a")) != conversation_sha256(
        prompt.render(text="b")
    )
