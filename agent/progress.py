"""Long work on a terminal: a bar with an ETA; plain lines where there is no terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LINE_EVERY_SECONDS = 5.0


class ConsoleProgress:
    """Implements ``retrieval.ports.Progress`` on stderr. Safe to call from any thread.

    Use it as a context manager: leaving it takes the bar off the screen.

        with ConsoleProgress() as progress:
            progress.start("extract", 400)
    """

    def __init__(
        self, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._clock = clock
        self._lock = threading.Lock()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._stage = ""
        self._total: int | None = None
        self._done = 0
        self._began = 0.0
        self._said = 0.0

    def __enter__(self) -> ConsoleProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self, stage: str, total: int | None) -> None:
        """A stage begins; the one before it is finished. ``total`` may be unknown (``None``)."""
        with self._lock:
            self._finish_stage()
            self._stage, self._total, self._done = stage, total, 0
            self._began = self._said = self._clock()
            if self._console.is_terminal:
                if self._bar is None:
                    self._bar = _bar(self._console)
                    self._bar.start()
                self._task = self._bar.add_task(stage, total=total)
            else:
                size = "" if total is None else f" ({total:,})"
                self._line(f"{stage}{size} …")

    def advance(self, n: int = 1) -> None:
        """``n`` more units of the current stage are done; without a stage nothing happens."""
        with self._lock:
            self._done += n
            if self._bar is not None and self._task is not None:
                self._bar.advance(self._task, n)
            elif self._stage and self._clock() - self._said >= LINE_EVERY_SECONDS:
                self._said = self._clock()
                self._line(self._how_far())

    def note(self, text: str) -> None:
        """A sentence for the person who waits; it stays on the screen above the bar."""
        with self._lock:
            self._line(text)

    def close(self) -> None:
        """Finish the stage under way and give the terminal back. May be called twice."""
        with self._lock:
            self._finish_stage()
            if self._bar is not None:
                self._bar.stop()
                self._bar = None

    def _finish_stage(self) -> None:
        if not self._stage:
            return
        took = spoken_seconds(self._clock() - self._began)
        if self._bar is not None and self._task is not None:
            self._bar.remove_task(self._task)
        if self._done or self._total:
            of = "" if self._total in (None, self._done) else f" of {self._total:,}"
            self._line(f"{self._stage}: {self._done:,}{of} in {took}")
        else:
            self._line(f"{self._stage}: {took}")
        self._stage, self._task = "", None

    def _how_far(self) -> str:
        elapsed = self._clock() - self._began
        if self._total is None or self._done == 0:
            return f"{self._stage}: {self._done:,} after {spoken_seconds(elapsed)}"
        left = elapsed / self._done * max(self._total - self._done, 0)
        return (
            f"{self._stage}: {self._done:,} of {self._total:,}, about {spoken_seconds(left)} left"
        )

    def _line(self, text: str) -> None:
        # Stage names and notes may quote data: brackets in them are no markup.
        self._console.print(text, markup=False)


def spoken_seconds(seconds: float) -> str:
    """A duration as a person says it: ``0.4 s``, ``12 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
