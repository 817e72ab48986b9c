"""Answers are there again after any end: a clean one, kill -9, another process at the same file."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ports import Message, ModelInfo
from eval.answers.cassette import Answer, Cassette, request_key
from prompts.prompt import conversation_sha256
from retrieval.errors import InvalidInput, NotFound

INFO = ModelInfo("some/model", "small", 4096)
FIRST = Answer(logprobs={"yes": -0.25, "no": -1.5}, prompt_tokens=7.5, milliseconds=0.1)

any_text = st.text(st.characters(), max_size=20)  # lone surrogates too
numbers = st.floats(allow_nan=False)
answers = st.builds(
    Answer,
    logprobs=st.none() | st.dictionaries(any_text, numbers, max_size=3),
    text=st.none() | any_text,
    finish=st.sampled_from(["stop", "length"]),
    missing=st.integers(0, 9),
    prompt_tokens=numbers,
    completion_tokens=numbers,
    milliseconds=numbers,
)
conversations = st.lists(
    st.builds(
        lambda role, content: Message(role=role, content=content),
        st.sampled_from(["system", "user", "assistant"]),
        any_text,
    ),
    max_size=3,
)

WRITER = """
import sys
from pathlib import Path
from agent.ports import ModelInfo
from eval.answers.cassette import Answer, Cassette
path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
cassette = Cassette(path, ModelInfo("some/model", "small", 4096))
for at in range(count):
    cassette.add({f"{name}{at}": Answer(text=f"{name}{at} " * 4000)})
    print(f"{name}{at}", flush=True)
"""


def writer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(count)],
        stdout=subprocess.PIPE,
        text=True,
    )


@given(st.dictionaries(any_text, answers.filter(lambda one: one.usable), max_size=4))
def test_whatever_is_added_comes_back_equal(
    tmp_path_factory: pytest.TempPathFactory, added: dict[str, Answer]
) -> None:
    path = tmp_path_factory.mktemp("any") / "new" / "a.jsonl"
    recorder = Cassette(path, INFO)
    recorder.add(added)
    for opened in (recorder, Cassette(path, INFO), Cassette(path)):
        assert {key: opened.get(key) for key in added} == added
        assert (len(opened), opened.torn, opened.info) == (len(added), 0, INFO)
    assert path.read_bytes().count(b"\n") == 1 + len(added) or not added


@given(conversations, conversations, any_text)
def test_a_request_is_told_by_its_turns_its_kind_and_its_salt(
    one: list[Message], other: list[Message], salt: str
) -> None:
    assert (conversation_sha256(one) == conversation_sha256(other)) == (one == other)
    assert (request_key(one, "labels", "yes") == request_key(other, "labels", "yes")) == (
        one == other
    )
    assert request_key(one, "labels", "yes", salt=salt) == request_key(
        one, "labels", "yes", salt=salt
    )
    assert request_key(one, "labels", "yes") != request_key(one, "labels", "no")
    assert (request_key(one, salt=salt) == request_key(one)) == (salt == "")


@given(st.data())
def test_wherever_a_crash_cuts_the_file_whole_lines_stay_and_the_next_is_not_torn(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("torn") / "a.jsonl"
    Cassette(path, INFO).add({"k0": FIRST, "k1": replace(FIRST, missing=1)})
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    lines = whole[:cut].count(b"\n")
    kept = [f"k{at}" for at in range(max(0, lines - 1))]

    torn = Cassette(path, INFO)
    assert len(torn) in (len(kept), len(kept) + 1)  # only the last newline may be missing
    assert torn.torn == int(not whole[:cut].endswith(b"\n") and len(torn) == len(kept) and cut > 0)
    torn.add({"new": FIRST})
    again = Cassette(path)
    assert all(again.get(key) is not None for key in [*kept, "new"])
    assert again.torn <= 1
    assert len(again) == len(torn)


def test_a_line_that_is_no_text_is_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    Cassette(path, INFO).add({"k0": FIRST})
    with path.open("ab") as file:
        file.write(b'\x00\x00\xff\xfe"}\n[1]\n{"key": "x", "colour": 3}\n')
    Cassette(path, INFO).add({"k1": FIRST})
    opened = Cassette(path)
    assert (len(opened), opened.torn) == (2, 3)


def test_after_kill_9_everything_that_was_acknowledged_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    acknowledged: list[str] = []
    for name in "ab":
        with writer(path, name, 10_000) as process:
            assert process.stdout is not None
            acknowledged += [process.stdout.readline().strip() for _ in range(5)]
            process.kill()
            acknowledged += process.stdout.read().split()
    opened = Cassette(path, INFO)
    assert all(opened.get(key) is not None for key in acknowledged)
    assert opened.torn <= 2
    opened.add({"new": FIRST})
    assert Cassette(path).get("new") == FIRST


def test_a_write_that_the_disk_cut_off_says_so_and_spoils_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, -1))\n{WRITER}"
    done = subprocess.run(
        [sys.executable, "-c", limited, str(path), "a", "9"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "InvalidInput: the cassette" in done.stderr
    assert "cannot be written: File too large" in done.stderr
    assert path.stat().st_size == 50_000
    opened = Cassette(path, INFO)
    assert (len(opened), opened.torn) == (len(done.stdout.split()), 1)
    opened.add({"new": FIRST})
    assert Cassette(path).get("new") == FIRST


def test_two_processes_append_to_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    both = [writer(path, name, 15) for name in "ab"]
    for process in both:
        process.communicate()
        assert process.returncode == 0
    opened = Cassette(path)
    assert (len(opened), opened.torn) == (30, 0)
    assert path.read_text().count('"cassette"') == 1


def test_of_many_that_begin_a_file_at_once_one_writes_its_head(tmp_path: Path) -> None:
    for name in range(10):
        path = tmp_path / f"{name}.jsonl"
        ready = threading.Barrier(6)

        def begin(at: int, path: Path = path, ready: threading.Barrier = ready) -> None:
            cassette = Cassette(path, INFO)
            ready.wait()
            cassette.add({f"k{at}": FIRST})

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(begin, range(6)))
        assert path.read_text().count('"cassette"') == 1
        opened = Cassette(path)
        assert (len(opened), opened.torn) == (6, 0)


def test_answers_of_two_models_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    other = replace(INFO, model_id="other")
    first, late = Cassette(path, INFO), Cassette(path, other)  # neither has written yet
    first.add({"k": FIRST})
    with pytest.raises(InvalidInput, match="holds answers of some/model, not of other"):
        late.add({"k": FIRST})
    with pytest.raises(InvalidInput, match="holds answers of some/model, not of other") as caught:
        Cassette(path, other)
    assert "another cassette" in caught.value.hint
    assert len(Cassette(path)) == 1


def test_a_failure_is_replayed_but_a_model_that_is_there_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    nothing, whole = Answer(prompt_tokens=3), Answer(text="too long", error="context_overflow")
    recorder = Cassette(path, INFO)
    recorder.add({"nothing": nothing, "whole": whole, "empty text": Answer(text="")})
    assert recorder.get("nothing") == nothing
    replay, live = Cassette(path), Cassette(path, INFO)
    assert (replay.get("nothing"), replay.get("whole")) == (nothing, whole)
    assert (live.get("nothing"), live.get("whole")) == (None, None)
    assert live.get("empty text") == Answer(text="")
    assert live.torn == 0


def test_a_packed_cassette_is_read_and_never_written(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    Cassette(path, INFO).add({"k": FIRST})
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert Cassette(packed).get("k") == FIRST
    with pytest.raises(InvalidInput, match="read only"):
        Cassette(packed, INFO).add({"new": FIRST})
    assert len(Cassette(packed)) == 1


@pytest.mark.parametrize("spoil", ["cut", "flipped", "plain"])
def test_a_damaged_packed_cassette_is_one_clear_error(tmp_path: Path, spoil: str) -> None:
    data = gzip.compress(json.dumps({"format": 1, "cassette": {}}).encode() * 50)
    damaged = {
        "cut": data[:-12],
        "flipped": data[:14] + bytes(255 - one for one in data[14:20]) + data[20:],
        "plain": b"not packed",
    }
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(damaged[spoil])
    with pytest.raises(InvalidInput, match=r"a\.jsonl\.gz cannot be unpacked"):
        Cassette(path)


@pytest.mark.parametrize(
    "content",
    [
        b"hello\n",
        b"",
        b'{"format": 99, "cassette": {}}\n',
        b'{"format": 1}\n',
        b'{"format": 1, "cassette": {"model": "x"}}\n',
        b"[]\n",
    ],
)
def test_what_is_no_cassette_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="is no cassette"):
        Cassette(path)
    if content:  # an empty file is what a kill between making and writing leaves
        with pytest.raises(InvalidInput, match="is no cassette"):
            Cassette(path, INFO)
    assert path.read_bytes() == content


def test_there_is_nothing_to_replay_where_nothing_was_recorded(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no cassette at") as caught:
        Cassette(tmp_path / "none.jsonl")
    assert "record one" in caught.value.hint
    with pytest.raises(InvalidInput, match="Is a directory"):
        Cassette(tmp_path, INFO)


def test_a_folder_that_is_in_the_way_is_said_at_the_first_answer(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InvalidInput, match=r"cassette .*file/a\.jsonl cannot be written"):
        Cassette(tmp_path / "file" / "a.jsonl", INFO).add({"k": FIRST})


def test_a_folder_without_rights_is_said_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere")
    began = time.monotonic()
    with pytest.raises(InvalidInput, match="cannot be written"):
        Cassette(folder / "a.jsonl", INFO).add({"k": FIRST})
    assert time.monotonic() - began < 5
