import io
import threading

import pytest
from rich.console import Console

from agent.progress import ConsoleProgress, spoken_seconds


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def plain() -> tuple[ConsoleProgress, io.StringIO, Clock]:
    text, clock = io.StringIO(), Clock()
    return ConsoleProgress(Console(file=text, width=200), clock), text, clock


def test_without_a_terminal_there_are_plain_lines_with_the_time_left() -> None:
    progress, text, clock = plain()
    with progress:
        progress.start("extract", 400)
        for _ in range(100):
            clock.now += 0.25
            progress.advance()
        progress.note("a [note] in between")
        progress.start("write", None)
        progress.advance(3)
        clock.now += 100
    lines = text.getvalue().splitlines()
    assert lines[0] == "extract (400) …"
    assert lines[1].startswith("extract: 20 of 400, about 1 min 35 s left")
    assert len([line for line in lines if "left" in line]) == 5, "every five seconds, not more"
    assert "a [note] in between" in lines
    assert "extract: 100 of 400 in 25 s" in lines
    assert lines[-1] == "write: 3 in 1 min 40 s"


def test_advancing_before_a_stage_or_beyond_its_total_is_harmless() -> None:
    progress, text, clock = plain()
    progress.advance()
    progress.start("copy", 2)
    clock.now += 6
    progress.advance(5)
    progress.close()
    progress.close()
    assert "copy: 5 of 2, about 0.0 s left" in text.getvalue()


def test_on_a_terminal_there_is_a_bar_and_it_is_taken_away() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100, highlight=False)
    with ConsoleProgress(console) as progress:
        progress.start("fetch [x]", 10)
        progress.advance(4)
        progress.note("half")
        progress.start("next", None)
        progress.advance()
    assert "fetch [x]: 4 of 10 in" in text.getvalue()
    assert text.getvalue().rstrip().endswith("\x1b[2K") or "\x1b[?25h" in text.getvalue()


def test_many_threads_may_advance_at_once() -> None:
    progress, text, _ = plain()
    progress.start("calls", 800)
    threads = [
        threading.Thread(target=lambda: [progress.advance() for _ in range(100)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    progress.close()
    assert "calls: 800 in" in text.getvalue()


@pytest.mark.parametrize(
    ("seconds", "spoken"),
    [
        (-1, "0.0 s"),
        (0.44, "0.4 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3600, "1 h 00 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_durations_are_spoken(seconds: float, spoken: str) -> None:
    assert spoken_seconds(seconds) == spoken
