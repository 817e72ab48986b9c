"""What a request asks for: language, limits and refusals, read by grammar, not by a model.

Only what is certain becomes a hard condition. Everything else stays in the text, where the
lexical and the dense source find it. Conditions that the caller sends come first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from agent.bounds import Bound, find_bounds
from agent.gazetteer import Gazetteer, fold
from retrieval.errors import InvalidInput
from retrieval.sources.clean import detect_lang
from retrieval.types import Constraint, Query

LANGUAGES = ("en", "zh")
MAX_TEXT = 4000

_OPERATOR_SIGNS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_NOT = re.compile(
    r"\b(?:(?:do\s+not|don'?t|dont)\s+(?:want|like|need)|nothing|not|no|without|except|excluding"
    r"|avoid|non)(?:\s+|-)(?:(?:made\s+of|made\s+from|from|any|an|a|the|of|in|with)\s+)*"
    r"|(?:不想要|不要|不含|不带|不喜欢|不是|没有|除了|无|非|别)(?:任何|有)?",
    re.IGNORECASE,
)
_UNKNOWN_REFUSAL = re.compile(
    r"\b(?:without|excluding)\s+[a-z' -]{2,30}?(?=\s*(?:[,.;!?]|$|\b(?:and|but|or|for|under)\b))"
    r"|(?:不要|不想要|不含|不带)[\u3400-\u9fff]{1,8}?(?=的|[^\u3400-\u9fff]|$)",
    re.IGNORECASE,
)
_FREE = re.compile(r"([a-z]+)(?:-|\s)free\b", re.IGNORECASE)
_OR = re.compile(r"\s*(?:\bor\b|\bnor\b|、|或者|或|和)\s*(?:any\s+)?", re.IGNORECASE)
_PRICE_BEFORE = re.compile(
    r"(?:price[ds]?|costs?|costing|budget|价格|价钱|预算|价位|售价)(?:\s*(?:is|of|at|在|为|是|[:：]))?\s*$",
    re.IGNORECASE,
)
_AGES = re.compile(r"(?:kids?|child(?:ren)?|people|ages?|aged|players?|anyone)\s*$", re.IGNORECASE)
_EDGES = re.compile(
    r"^(?:[\s,.;，。；、的]|\b(?:and|but)\b)+|(?:[\s,;，；、的]|\b(?:and|but|or|for)\b)+$"
)


@dataclass(frozen=True, slots=True)
class Understood:
    """A query ready for the sources.

    Attributes:
        query: conditions complete, language resolved; its text lacks the words that became
            conditions, so that "not plastic" does not look for plastic.
        asked: the text as it was sent.
        avoid: an item that meets any of these is out. Not the same as ``ne``: an item that
            does not state its material is not known to be plastic, and stays.
        notes: what was understood, for the trace.
    """

    query: Query
    asked: str
    avoid: tuple[Constraint, ...] = ()
    notes: tuple[str, ...] = ()


def understand(query: Query, gazetteer: Gazetteer) -> Understood:
    """Read limits and refusals out of the query's text.

    Raises:
        InvalidInput: an unknown language, or a text longer than ``MAX_TEXT`` characters.
    """
    text = query.text.strip()
    if len(text) > MAX_TEXT:
        raise InvalidInput(
            f"the query has {len(text)} characters", f"send at most {MAX_TEXT} characters"
        )
    if query.lang not in ("", "auto", *LANGUAGES):
        raise InvalidInput(
            f"lang = {query.lang!r} is not spoken here",
            "use en or zh, or leave it out to answer in the language of the query",
        )
    lang = query.lang if query.lang in LANGUAGES else detect_lang(text)
    notes: list[str] = []
    spans: list[tuple[int, int]] = []
    limits: list[Constraint] = []
    for bound in find_bounds(text):
        name, start = _attribute_of(bound, text, gazetteer, notes)
        if name is not None:
            limits.append(Constraint(name, bound.op, bound.value))
            spans.append((start, bound.end))
            phrase = text[bound.start : bound.end].strip()
            sign = _OPERATOR_SIGNS[bound.op]
            notes.append(f'understood "{phrase}" as {name} {sign} {bound.value:g}')
    avoid: list[Constraint] = []
    for start, end, conditions in _refusals(_blank(text, spans), gazetteer):
        avoid.extend(conditions)
        spans.append((start, end))
        notes.append(f'understood "{text[start:end].strip()}": leaves out {_listed(conditions)}')
    for match in _UNKNOWN_REFUSAL.finditer(_blank(text, spans)):
        # Left in the text it would look for the very thing that is refused.
        spans.append(match.span())
        notes.append(f'"{match.group().strip()}" names no attribute value: not applied')
    rest = _EDGES.sub("", " ".join(_blank(text, spans).split())) if spans else text
    return Understood(
        query=replace(query, text=rest, lang=lang, constraints=(*query.constraints, *limits)),
        asked=text,
        avoid=tuple(dict.fromkeys(avoid)),
        notes=tuple(dict.fromkeys(notes)),
    )


def _attribute_of(
    bound: Bound, text: str, gazetteer: Gazetteer, notes: list[str]
) -> tuple[str | None, int]:
    """The attribute that is limited and where its mention starts; ``None`` when not certain."""
    before = text[: bound.start]
    for name in gazetteer.numbers.values():
        words = re.escape(name.replace("_", " ")).replace(r"\ ", r"[\s_]+")
        named = re.search(rf"(?:^|[^a-z]|(?=[\u3400-\u9fff])){words}(?:\s+is)?\s*$", before, re.I)
        if named is not None:
            return name, named.start()
    priced = _PRICE_BEFORE.search(before)
    start = bound.start if priced is None else priced.start()
    bare = bound.closed and bound.op in ("lt", "le") and _AGES.search(before) is None
    if not (bound.money or priced or bare):
        return None, start
    if gazetteer.price is None:
        phrase = text[start : bound.end].strip()
        notes.append(f'"{phrase}" was ignored: the catalogue has no numeric attribute named price')
    return gazetteer.price, start


def _refusals(text: str, gazetteer: Gazetteer) -> Iterator[tuple[int, int, tuple[Constraint, ...]]]:
    """(start, end, conditions to avoid) of each refusal that names a known value."""
    for match in _NOT.finditer(text):
        at = match.end()
        if match.group().rstrip(" -").casefold() in ("no", "non", "无", "非"):
            whole = _longest_value(text, match.start(), gazetteer)
            if whole is not None and whole[0] > at:
                continue  # "non-stick" and "无糖" as values are wishes, not refusals
        start = match.start()
        while (found := _longest_value(text, at, gazetteer)) is not None:
            end, value = found
            yield start, end, gazetteer.phrases[value]
            joint = _OR.match(text, end)
            if joint is None:
                break
            start, at = end, joint.end()
    for match in _FREE.finditer(text):
        value = fold(match[1])
        if fold(match.group()) not in gazetteer.phrases and value in gazetteer.phrases:
            yield match.start(), match.end(), gazetteer.phrases[value]


def _listed(conditions: Sequence[Constraint]) -> str:
    """``material plastic, material recycled plastic``, a few of them."""
    shown = [f"{c.field} {'yes' if c.value is True else c.value}" for c in conditions[:4]]
    return ", ".join([*shown, *(["…"] if len(conditions) > 4 else [])])


def _longest_value(text: str, at: int, gazetteer: Gazetteer) -> tuple[int, str] | None:
    """The longest known value that begins at ``at``, with its end; whole words only."""
    for end in range(min(len(text), at + gazetteer.longest + 1), at, -1):
        cut = text[at:end]
        if end < len(text) and _same_word(text[end - 1], text[end]):
            continue
        if cut[-1].isspace():
            continue
        value = fold(cut)
        for known in (value, value.removesuffix("s")):
            if known in gazetteer.phrases:
                return end, known
    return None


def _same_word(left: str, right: str) -> bool:
    return left.isascii() and right.isascii() and left.isalnum() and right.isalnum()


def _blank(text: str, spans: list[tuple[int, int]]) -> str:
    """The text with the spans overwritten by blanks: positions stay."""
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text
