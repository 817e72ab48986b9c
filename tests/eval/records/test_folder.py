"""One writer a folder, and finding a run by whatever part of its name one remembers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from eval.records.folder import RunFolder, run_ids
from retrieval.errors import InvalidInput, NotFound

AT = datetime(2025, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
HOLD = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from eval.records.folder import RunFolder
folder = RunFolder.create(Path(sys.argv[1]), "x", run_id="shared", at=datetime.now(UTC))
print("held", flush=True)
time.sleep(60)
"""


def finish(runs: Path, name: str, *, run_id: str | None = None, at: datetime = AT) -> str:
    with RunFolder.create(runs, name, run_id=run_id, at=at) as folder:
        (folder.path / "record.json").write_text("{}")
        return folder.run_id


def test_a_new_id_is_the_time_in_utc_and_the_name(tmp_path: Path) -> None:
    in_china = AT.astimezone(timezone(timedelta(hours=8)))
    assert finish(tmp_path, "wine", at=in_china) == "20250102T030405000678-wine"


def test_a_second_writer_of_one_folder_is_refused_and_told_who_writes(tmp_path: Path) -> None:
    with (
        RunFolder.create(tmp_path, "x", run_id="mine", at=AT),
        pytest.raises(InvalidInput, match=rf"mine \(process {os.getpid()} since 20") as error,
    ):
        RunFolder.create(tmp_path, "x", run_id="mine", at=AT)
    assert str(tmp_path / "mine") in error.value.message
    assert "id of its own" in error.value.hint


def test_a_writer_that_was_killed_leaves_a_folder_to_go_on_in(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InvalidInput, match=f"process {holder.pid}"):
            RunFolder.create(tmp_path, "x", run_id="shared", at=AT)
        holder.kill()
    with RunFolder.create(tmp_path, "x", run_id="shared", at=AT) as folder:
        assert folder.path == tmp_path / "shared"


def test_a_finished_run_is_never_written_again(tmp_path: Path) -> None:
    finish(tmp_path, "x", run_id="done")
    with pytest.raises(InvalidInput, match=r"done in .* is finished already"):
        RunFolder.create(tmp_path, "x", run_id="done", at=AT)
    # Being refused gave the lock back, or deleting the record would not help.
    (tmp_path / "done" / "record.json").unlink()
    RunFolder.create(tmp_path, "x", run_id="done", at=AT).close()


def test_a_closed_folder_names_no_writer(tmp_path: Path) -> None:
    finish(tmp_path, "x", run_id="done")
    assert not (tmp_path / "done" / "writer.txt").exists()


@pytest.mark.parametrize("bad", ["", "..", "a/b", ".hidden", "a b", "-x"])
def test_an_id_that_is_no_plain_name_is_refused(tmp_path: Path, bad: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name a run"):
        RunFolder.create(tmp_path, "x", run_id=bad, at=AT)


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="cannot be written"):
        RunFolder.create(tmp_path / "file", "x", run_id=None, at=AT)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name, day in (("wine-v1", 0), ("wine-v2", 1), ("wine-v1", 2)):
        finish(tmp_path, name, at=AT + timedelta(days=day))
    return tmp_path


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("20250103T030405000678-wine-v2", "20250103T030405000678-wine-v2"),
        ("20250103", "20250103T030405000678-wine-v2"),
        ("wine-v2", "20250103T030405000678-wine-v2"),
        ("wine-v1", "20250104T030405000678-wine-v1"),
    ],
)
def test_a_run_is_found_by_id_by_its_beginning_and_by_name(
    runs: Path, reference: str, found: str
) -> None:
    folder = RunFolder.open(runs, reference)
    assert (folder.run_id, folder.path) == (found, runs / found)


def test_a_run_is_found_by_path_wherever_it_lies(runs: Path, tmp_path: Path) -> None:
    one = runs / run_ids(runs)[0]
    assert RunFolder.open(tmp_path / "elsewhere", str(one)).path.samefile(one)


def test_a_beginning_of_several_ids_lists_them(runs: Path) -> None:
    with pytest.raises(InvalidInput, match=r"3 runs .* 20250104T030405000678-wine-v1, 20250103"):
        RunFolder.open(runs, "2025")


@pytest.mark.parametrize("reference", ["nope", "", "wine", "v1"])
def test_an_unknown_run_lists_what_there_is(runs: Path, reference: str) -> None:
    with pytest.raises(NotFound, match=re.escape(repr(reference))) as error:
        RunFolder.open(runs, reference)
    assert "20250103T030405000678-wine-v2" in error.value.hint


def test_without_any_run_the_hint_is_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as error:
        RunFolder.open(tmp_path / "none", "x")
    assert "palate eval run" in error.value.hint


def test_stray_folders_and_files_are_no_runs(runs: Path) -> None:
    (runs / "notes").mkdir()
    (runs / "file.txt").write_text("")
    assert len(run_ids(runs)) == 3
