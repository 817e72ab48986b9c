"""A language model without a model: offline, instant, deterministic; product code.

Tests use it, and so does anybody who sets ``PALATE_LLM_MODEL=scripted`` to try the service
without weights. It knows no prompt by name. It reads what every prompt of Palate shares:
untrusted text between data marks (``<data KEY>`` … ``</data KEY>``) in the last user turn.

- A conversation whose shots answer in ``a | b | c`` lines (or that has no shots) gets
  ``aspect | polarity | exact quote`` lines, by the small lexicon of ``agent.lexicon``.
- A conversation whose shots answer in prose gets the lines of the data, one sentence each.
- A label call gets log-odds from the words that the last data block (the item) shares with
  the blocks before it (the profile and the query); the first label is the affirmative one.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from agent.lexicon import extraction_lines, split_liked, words
from agent.ports import Generation, LabelScores, Message, ModelInfo
from retrieval.errors import (
    ContextOverflow,
    InvalidInput,
    ModelOutputError,
    ModelTimeout,
    ModelUnavailable,
)

Failure = Literal["", "timeout", "unavailable", "rubbish"]

DATA_BLOCK = re.compile(r"<data (?P<key>[^>\s]+)>\n?(?P<text>.*?)\n?</data (?P=key)>", re.DOTALL)
RUBBISH = "}{ \ufffd 0 0 0 ~~ \x07 yes/no/maybe ]["
_MARK = re.compile(r"\[\w+\]")
_MAX_REMEMBERED = 1000


class ScriptedModel:
    """Implements ``agent.ports.LanguageModel`` by rules.

    Args:
        rules: ``(regular expression, answer)``; the first that is found in the last user
            turn (for pictures: in ``file name + newline + prompt``) decides the answer.
        fail: what every call does: "timeout" and "unavailable" raise, "rubbish" answers
            nonsense (text) or ``None`` (labels). May be changed between calls.
        delay: seconds per conversation; a deadline cuts it short with ``ModelTimeout``.
        die_after: conversations that are answered before the model is gone for good.

    Attributes:
        calls: how many calls of the port were made.
        seen: the last 1,000 conversations, oldest first.
    """

    def __init__(
        self,
        rules: Sequence[tuple[str, str]] = (),
        *,
        model_id: str = "scripted",
        tier: Literal["tiny", "small", "large"] = "small",
        context_tokens: int = 4096,
        vision: bool = False,
        fail: Failure = "",
        delay: float = 0.0,
        die_after: int | None = None,
    ) -> None:
        self._rules = [(re.compile(pattern, re.DOTALL), answer) for pattern, answer in rules]
        self._info = ModelInfo(model_id, tier, context_tokens, vision)
        self._lock = threading.Lock()
        self._answered = 0
        self.fail: Failure = fail
        self.delay = delay
        self.die_after = die_after
        self.calls = 0
        self.seen: deque[tuple[Message, ...]] = deque(maxlen=_MAX_REMEMBERED)

    @property
    def info(self) -> ModelInfo:
        """Identity and abilities."""
        return self._info

    def generate(
        self,
        conversations: Sequence[Sequence[Message]],
        *,
        max_tokens: int,
        stop: Sequence[str] = (),
        deadline: float | None = None,
        done: Callable[[int, Generation], None] | None = None,
    ) -> list[Generation]:
        """Answers in order; see the port."""
        ends = self._begin(deadline)
        answers = []
        for index, conversation in enumerate(conversations):
            prompt_tokens = self._turn(conversation, ends, max_tokens)
            text = RUBBISH if self.fail == "rubbish" else self._answer(conversation)
            answer = _generation(text, prompt_tokens, max_tokens, stop)
            answers.append(answer)
            if done is not None:
                done(index, answer)
        return answers

    def label_logprobs(
        self,
        conversations: Sequence[Sequence[Message]],
        labels: Sequence[str],
        *,
        deadline: float | None = None,
    ) -> LabelScores:
        """Log-probabilities from word overlap; see the port."""
        if len(set(labels)) < 2 or len(set(labels)) != len(labels):
            raise InvalidInput(f"labels {list(labels)} must be two or more different words")
        ends = self._begin(deadline)
        rows: list[dict[str, float] | None] = []
        prompt_tokens = 0
        for conversation in conversations:
            prompt_tokens += self._turn(conversation, ends, 1)
            rows.append(None if self.fail == "rubbish" else self._score(conversation, labels))
        return LabelScores(tuple(rows), prompt_tokens, len(rows), 0)

    def describe_image(self, path: Path, prompt: str, *, max_tokens: int) -> Generation:
        """The answer of the rule that fits the picture's name or the prompt."""
        if not self._info.vision:
            raise ModelUnavailable(
                f"{self._info.model_id} cannot see pictures", "set llm.vision for a model that can"
            )
        ends = self._begin(None)
        message: Message = {"role": "user", "content": f"{path.name}\n{prompt}"}
        prompt_tokens = self._turn([message], ends, max_tokens)
        if self.fail == "rubbish":
            return _generation(RUBBISH, prompt_tokens, max_tokens, ())
        answer = self._ruled(message["content"])
        if answer is None:
            raise ModelOutputError(
                f"no rule of {self._info.model_id} fits the picture {path.name}",
                "add a (pattern, answer) rule",
            )
        return _generation(answer, prompt_tokens, max_tokens, ())

    def _begin(self, deadline: float | None) -> float | None:
        with self._lock:
            self.calls += 1
        return None if deadline is None else time.monotonic() + deadline

    def _turn(self, conversation: Sequence[Message], ends: float | None, max_tokens: int) -> int:
        """Wait, fail or die as configured; returns the prompt's length in tokens."""
        self.seen.append(tuple(conversation))
        left = None if ends is None else ends - time.monotonic()
        if left is not None and (left <= 0 or self.delay > left):
            time.sleep(max(0.0, min(self.delay, left)))
            raise ModelTimeout("the scripted model was slower than the deadline")
        time.sleep(self.delay)
        if self.fail == "timeout":
            raise ModelTimeout("the scripted model was told to time out")
        if self.fail == "unavailable":
            raise ModelUnavailable("the scripted model was told to be unavailable")
        with self._lock:
            if self.die_after is not None and self._answered >= self.die_after:
                raise ModelUnavailable(f"the scripted model died after {self._answered} answers")
            self._answered += 1
        tokens = sum(_tokens(message["content"]) + 4 for message in conversation)
        if tokens + max_tokens > self._info.context_tokens:
            raise ContextOverflow(
                f"{tokens} prompt tokens and {max_tokens} to write exceed the window of "
                f"{self._info.context_tokens}",
                "shorten the input",
            )
        return tokens

    def _ruled(self, text: str) -> str | None:
        return next((answer for pattern, answer in self._rules if pattern.search(text)), None)

    def _answer(self, conversation: Sequence[Message]) -> str:
        last = conversation[-1]["content"] if conversation else ""
        ruled = self._ruled(last)
        if ruled is not None:
            return ruled
        blocks = data_blocks(last)
        shots = [m["content"] for m in conversation if m["role"] == "assistant"]
        if not shots or any(shot.count("|") >= 2 for shot in shots):
            return "\n".join(extraction_lines(blocks[-1] if blocks else last))
        return "\n".join(_sentences("\n".join(blocks) or last))

    def _score(self, conversation: Sequence[Message], labels: Sequence[str]) -> dict[str, float]:
        last = conversation[-1]["content"] if conversation else ""
        ruled = self._ruled(last)
        if ruled is not None and ruled in labels:
            odds = 3.0 if ruled == labels[0] else -3.0
        else:
            odds = overlap_log_odds(data_blocks(last))
        # log sigmoid(±odds), written so that neither side overflows.
        yes = -math.log1p(math.exp(-odds))
        no = -math.log1p(math.exp(odds)) - math.log(max(1, len(labels) - 1))
        return {label: yes if index == 0 else no for index, label in enumerate(labels)}


def data_blocks(text: str) -> list[str]:
    """The texts between data marks, in order; empty when there are none."""
    return [match["text"] for match in DATA_BLOCK.finditer(text)]


def overlap_log_odds(blocks: Sequence[str]) -> float:
    """In [-3, 3]: words that the last block shares with liked lines minus disliked ones.

    Without at least two blocks there is nothing to compare and the odds are even (0).
    """
    if len(blocks) < 2:
        return 0.0
    card = words(blocks[-1])
    liked, disliked = split_liked("\n".join(blocks[:-1]))
    wanted, unwanted = len(card & liked), len(card & (disliked - liked))
    return max(-3.0, min(3.0, -1.0 + 0.75 * wanted - 1.0 * unwanted))


def _sentences(data: str) -> list[str]:
    """Each line of the data as a sentence; a row mark such as ``[1]`` moves to its end."""
    sentences = []
    for line in data.splitlines():
        text = " ".join(line.split())
        mark = found[0] if (found := _MARK.match(text)) else ""
        text = text.removeprefix(mark).strip().rstrip(".。")
        if text:
            sentences.append(f"{text[0].upper()}{text[1:]}. {mark}".rstrip())
    return sentences[:6]


def _generation(text: str, prompt_tokens: int, max_tokens: int, stop: Sequence[str]) -> Generation:
    cut = min((at for at in (text.find(mark) for mark in stop if mark) if at >= 0), default=None)
    text = text if cut is None else text[:cut]
    limit = max_tokens * 4
    finish = "length" if len(text) > limit else "stop"
    return Generation(text[:limit], finish, prompt_tokens, min(_tokens(text), max_tokens))


def _tokens(text: str) -> int:
    """A fair guess: four Latin characters or one CJK character a token."""
    wide = sum(1 for character in text if ord(character) > 0x2E7F)
    return wide + (len(text) - wide + 3) // 4
