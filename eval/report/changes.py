"""Which words two prompts do not share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from eval.report.blocks import ShownTurn, Span
from prompts.prompt import Turn

# Chinese has no spaces: every ideograph is a word of its own.
_WORD = re.compile(r"[㐀-鿿豈-﫿]|[^\W㐀-鿿豈-﫿]+|\s+|[^\w\s]")
_TURN = "\0"


def word_changes(
    left: Sequence[Turn], right: Sequence[Turn]
) -> tuple[list[ShownTurn], list[ShownTurn]]:
    """Both conversations with every stretch marked that the other one does not have.

    Joining the spans of a turn gives its text again.
    """
    ours, theirs = _pieces(left), _pieces(right)
    left_changed, right_changed = [True] * len(ours), [True] * len(theirs)
    # autojunk would take frequent words for noise in prompts of more than 200 words.
    for block in SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks():
        left_changed[block.a : block.a + block.size] = [False] * block.size
        right_changed[block.b : block.b + block.size] = [False] * block.size
    return _turns(ours, left_changed), _turns(theirs, right_changed)


def unchanged(turns: Sequence[Turn]) -> list[ShownTurn]:
    """A conversation that has nothing beside it."""
    return [ShownTurn(turn["role"], [Span(turn["content"])]) for turn in turns]


def _pieces(turns: Sequence[Turn]) -> list[str]:
    return [
        piece for turn in turns for piece in (_TURN + turn["role"], *_WORD.findall(turn["content"]))
    ]


def _turns(pieces: Sequence[str], changed: Sequence[bool]) -> list[ShownTurn]:
    turns: list[ShownTurn] = []
    spans: list[Span] = []
    for piece, new in zip(pieces, changed, strict=True):
        if piece.startswith(_TURN):
            spans = []
            turns.append(ShownTurn(piece.removeprefix(_TURN), spans))
        elif spans and spans[-1].changed == new:
            spans[-1] = Span(spans[-1].text + piece, new)
        else:
            spans.append(Span(piece, new))
    return turns
