"""Probes look at the very answers of the system that they probe, and say when they are missing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path

from eval.prompt_config import PromptRunConfig
from eval.records.record import Probes
from eval.runs.ask import ask_all
from eval.runs.contestants import contestants_of
from eval.runs.probe import probe_all
from tests.eval.runs.worlds import RERANK, Judge, Watcher, config, lane, questions, reads


def probed(
    folder: Path, model: Judge, wanted: PromptRunConfig, budget: int | None = None
) -> tuple[dict[str, Probes], str]:
    asked = questions(4)
    lanes, prompts = {"m": lane(folder, model, budget)}, {"v1": RERANK}
    run = ask_all(wanted, asked, lanes, prompts, Watcher())
    variants = [one for one in contestants_of(wanted, asked, run) if one.kind == "variant"]
    return probe_all(wanted, asked, variants, lanes, prompts, Watcher())


def test_a_probe_of_a_repeat_replays_the_answers_of_that_repeat(tmp_path: Path) -> None:
    told = count()

    def never_twice_the_same(blocks: Sequence[str]) -> float:
        return (next(told) * 7 % 100) / 50 - 1

    wanted = config(seeds=[0, 1], probes={"injection": 3})
    found, missing = probed(tmp_path, Judge(never_twice_the_same), wanted)
    assert missing == ""
    assert set(found) == {"v1|m|0", "v1|m|1"}
    for one in found.values():
        assert one.injection is not None
        assert one.injection["n"] > 0
        assert one.injection["others_moved"] == 0


def test_what_was_not_asked_for_is_none_and_calibration_is_free(tmp_path: Path) -> None:
    model = Judge(reads)
    found, _ = probed(tmp_path, model, config())
    (one,) = found.values()
    assert one.calibration is not None
    assert one.calibration["n"] == 4 * 12
    assert (one.position_bias, one.bin_ablation, one.injection, one.grounding) == (None,) * 4
    assert model.calls == 8


def test_a_budget_that_ends_within_the_probes_is_said(tmp_path: Path) -> None:
    wanted = config(probes={"position": 4})
    found, missing = probed(tmp_path, Judge(reads), wanted, budget=8 * 132)
    assert found == {}
    assert missing.endswith("tokens are spent: the probes of v1|m|0 are missing")
