"""Ask many things at once in threads, with a deadline, and hand the answers out as they come."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from retrieval.errors import ModelTimeout

Answered = TypeVar("Answered")

GRACE_SECONDS = 1.0
"""A request is given its own timeout; this is how much later we stop waiting for it."""


def in_threads(
    ask: Callable[[int], Answered], count: int, *, parallel: int, ends: float | None
) -> Iterator[tuple[int, Answered]]:
    """Yield ``(index, ask(index))`` for every index below ``count`` as each is answered.

    The first error stops new questions; those under way are still waited for and yielded, and
    then it is raised. The threads are daemons: nobody waits for them at Ctrl-C.

    Args:
        ask: called from several threads.
        count: how many questions; none gives nothing.
        parallel: at most this many at once.
        ends: ``time.monotonic()`` at which to give up, or ``None``.

    Raises:
        ModelTimeout: ``ends`` passed; says how many answers were there.
    """
    todo = iter(range(count))
    lock = threading.Lock()
    stopped = threading.Event()
    # (index, answer, None), (index, None, error), or (-1, None, None): one worker went home.
    results: queue.SimpleQueue[tuple[int, Any, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        while not stopped.is_set():
            with lock:
                index = next(todo, -1)
            if index < 0:
                break
            try:
                results.put((index, ask(index), None))
            except BaseException as error:
                stopped.set()
                results.put((index, None, error))
        results.put((-1, None, None))

    working = min(parallel, count)
    for _ in range(working):
        threading.Thread(target=work, daemon=True).start()
    answered = 0
    failure: BaseException | None = None
    try:
        while working:
            left = None if ends is None else ends + GRACE_SECONDS - time.monotonic()
            try:
                index, answer, error = results.get(timeout=None if left is None else max(0, left))
            except queue.Empty:
                raise _too_late(answered, count) from failure
            if index < 0:
                working -= 1
            elif error is not None:
                failure = failure or error
            else:
                answered += 1
                yield index, answer
    finally:
        stopped.set()
    if isinstance(failure, ModelTimeout) and ends is not None:
        raise _too_late(answered, count) from failure
    if failure is not None:
        raise failure


def _too_late(answered: int, count: int) -> ModelTimeout:
    return ModelTimeout(
        f"the model had given {answered} of {count} answers when the time was up",
        "raise the deadline, ask for less, or use a smaller model",
    )
