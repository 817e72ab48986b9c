"""Find a quote in its source, letter by letter, and give back the source's own letters."""

from __future__ import annotations

import unicodedata

_EDGES = " \t\"'`“”‘’「」『』《》"
_ENDS = " .。!！…,，;；、"
# The prompt shows rewritten brackets and quotes (see prompts.untrusted); models straighten them.
_SAME = str.maketrans({
    "[": "(", "]": ")", "“": '"', "”": '"', "‘": "'", "’": "'", "‹": "<", "›": ">",
})  # fmt: skip


def locate(quote: str, source: str) -> str | None:
    """The part of ``source`` that ``quote`` repeats, as the source writes it.

    Compared after NFKC, case folding and folding of white space and invisible characters.
    Outer quotation marks and a final full stop of the quote are forgiven.

    Returns:
        A substring of ``source`` (white space as it stands there), or ``None`` when the
        words are not there or the quote has no letter or digit.
    """
    folded, where = _folded(source)
    quote = quote.strip(_EDGES)
    for candidate in (quote, quote.rstrip(_ENDS).strip(_EDGES)):
        wanted = _folded(candidate)[0].strip()
        if not any(char.isalnum() for char in wanted):
            return None
        at = folded.find(wanted)
        if at >= 0:
            return source[where[at] : where[at + len(wanted) - 1] + 1]
    return None


def _folded(text: str) -> tuple[str, list[int]]:
    """Folded text, and for each of its characters the index in ``text`` that it came from."""
    out: list[str] = []
    where: list[int] = []
    for index, char in enumerate(text):
        if char.isspace():
            if out and out[-1] != " ":
                out.append(" ")
                where.append(index)
            continue
        if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn"):
            continue
        for folded in unicodedata.normalize("NFKC", char).casefold().translate(_SAME):
            if folded == " " and (not out or out[-1] == " "):
                continue
            out.append(folded)
            where.append(index)
    return "".join(out), where
