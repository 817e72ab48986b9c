"""Text that somebody else wrote, made safe to show to a model: sanitised, neutralised, marked.

Three steps. Invisible and control characters go, since they can hide words from people.
Whatever looks like a chat template, a data mark, a row number or an answer is rewritten so
that it no longer does. What is left stands between marks whose key is a hash of the text:
the same text always renders the same, and nobody knows the key before the text is fixed.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

_KEEP = frozenset("\n\t")
_DROPPED_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_MAX_COMBINING = 3

_REPLACEMENTS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Special tokens: a chat server would tokenise them as the real ones.
    (re.compile(r"[<＜]\s*([|｜])"), r"‹\1"),
    (re.compile(r"([|｜])\s*[>＞]"), r"\1›"),
    (
        re.compile(
            r"[<＜](?=\s*/?\s*(?:data|system|sys|user|assistant|model|inst|tool\w*|think\w*"
            r"|(?:start|end|begin)_of_\w+|s|bos|eos|unk|pad|image)\b)",
            re.I,
        ),
        "‹",
    ),
    (re.compile(r"[<＜](?=\s*[<＜]?\s*/?\s*sys\s*[>＞])", re.I), "‹"),
    (
        re.compile(
            r"\[(\s*/?\s*(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_\w+|THINK|ARGS|IMG\w*)\s*)\]",
            re.I,
        ),
        r"(\1)",
    ),
    # Row numbers and answers belong to the prompt, not to the text.
    (re.compile(r"\[(\s*[rR]?\d{1,4}(?:\s*[,，]\s*\d{1,4})*\s*)\]"), r"(\1)"),
    (
        re.compile(r"(?im)^([ \t]*(?:system|assistant|user|human|ai|系统|助手|用户))[ \t]*[:：]"),
        r"\1 -",
    ),
    (re.compile(r"(?i)(\b(?:answer|output|label)|答案|回答|输出)[ \t]*[:：]"), r"\1 -"),
    (re.compile(r"(?m)^[ \t]*#{1,6}[ \t]*"), ""),
)


def sanitise(text: str) -> str:
    """Drop what people cannot see; collapse blank lines and runs of spaces.

    Removed: control, format (zero-width, bidirectional, tag), private-use and unassigned
    characters, lone surrogates, variation selectors, combining marks beyond three in a row.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n")
    kept: list[str] = []
    combining = 0
    for char in text.replace("\u2029", "\n"):
        category = unicodedata.category(char)
        if category in _DROPPED_CATEGORIES and char not in _KEEP:
            continue
        if category in ("Mn", "Me"):
            combining += 1
            if combining > _MAX_COMBINING or _is_variation_selector(char):
                continue
        else:
            combining = 0
        kept.append(char)
    text = re.sub(r"[^\S\n]+", " ", "".join(kept))
    return re.sub(r" ?\n[ \n]*", "\n", text).strip()


def neutralise(text: str) -> str:
    """Rewrite what imitates a chat template, a data mark, a row number or an answer."""
    text = sanitise(text)
    # A replacement can join what stood apart ("#<|" at a line's start), so until nothing changes.
    for _ in range(4):
        before = text
        for pattern, replacement in _REPLACEMENTS:
            text = pattern.sub(replacement, text)
        if text == before:
            break
    return text


def one_line(text: str) -> str:
    """Neutralised, and on a single line."""
    return " ".join(neutralise(text).split())


def key_of(text: str) -> str:
    """Six letters that depend on every character of the text."""
    number = int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:8], "big")
    letters = []
    for _ in range(6):
        number, letter = divmod(number, 26)
        letters.append(chr(ord("a") + letter))
    return "".join(letters)


def mark(text: str) -> str:
    """``<data KEY>`` text ``</data KEY>``, each mark on its own line. Expects neutralised text."""
    key = key_of(text)
    return f"<data {key}>\n{text}\n</data {key}>"


def _is_variation_selector(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
