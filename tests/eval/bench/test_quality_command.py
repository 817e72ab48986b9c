"""``palate eval quality`` on a shop of thirty items: everything once, then nothing again."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from eval.bench.quality import models, part, vectors
from eval.bench.quality.report import TABLE, write_report
from eval.bench.quality.run import RESULTS, QualityRun, run_quality
from eval.bench.quality.settings import QualitySettings
from eval.cli import app
from eval.report.write import REPORT
from retrieval.errors import InvalidInput
from tests.eval.bench.quality_world import ONE_BAR, SOURCES, Letters, small, write_shop
from tests.eval.runs.worlds import Watcher


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, QualityRun]:
    """The shop, the folder of its benchmark under both protocols, and what came out."""
    base = tmp_path_factory.mktemp("quality")
    shop, out = write_shop(base / "shop"), base / "out"
    peer = base / "peers" / "shop-temporal" / "shuffled"
    settings = small(shop, ("temporal", "leave-last-out"))
    first = run(settings, out)
    peer.mkdir(parents=True)
    users = first.results["parts"][0]["users"]
    table = np.random.default_rng(0).normal(size=(users, 30)).astype(np.float32)
    np.save(peer / "scores.npy", table)
    (peer / "report.json").write_text('{"params": {"factors": 8}, "valid_ndcg": 0.1}')
    return shop, out, run(with_peers(settings, base / "peers"), out)


def run(settings: QualitySettings, out: Path) -> QualityRun:
    bars = out.parent / "bars.toml"
    bars.write_text(ONE_BAR)
    return run_quality(settings, out, Watcher(), embedder=Letters(), bars=bars)


def with_peers(settings: QualitySettings, folder: Path) -> QualitySettings:
    return replace(settings, peers=folder)


def test_every_system_is_measured_under_both_protocols(
    world: tuple[Path, Path, QualityRun],
) -> None:
    _, out, found = world
    temporal, last = found.results["parts"]
    names = {one["name"] for one in temporal["systems"]}
    assert names == {*SOURCES, "S", "S-prior", "rrf", "comb_sum", "F-random", "peer-shuffled"}
    assert {one["name"] for one in last["systems"]} == names - {"peer-shuffled"}
    for part_ in (temporal, last):
        for one in part_["systems"]:
            mean = one["figures"]["ndcg@10"]
            assert 0 <= mean["low"] <= mean["mean"] <= mean["high"] <= 1
            assert sum(own["n"] for own in one["strata"].values()) == part_["users"]
        assert part_["random"] == 0.0
        assert part_["single"]["best"] in SOURCES
        assert {row["without"] for row in part_["ablation"]["rows"]} >= set(SOURCES)
        assert part_["curve"]["rows"][0]["n"] == 0
        assert part_["curve"]["rows"][-1]["n"] == part_["labelled"]
    assert temporal["peer"]["best"] == "peer-shuffled"
    assert [one.state for one in found.bars] == ["held", "held"]
    assert json.loads((out / RESULTS).read_text())["parts"][0]["users"] == temporal["users"]


def test_who_walks_in_circles_is_foreseen_by_the_order_of_events(
    world: tuple[Path, Path, QualityRun],
) -> None:
    last = world[2].results["parts"][1]
    means = {one["name"]: one["figures"]["ndcg@10"]["mean"] for one in last["systems"]}
    assert means["markov"] > 0.9
    assert means["S"] > 0.9
    assert means["popular"] < 0.5


def test_a_second_run_computes_nothing(
    world: tuple[Path, Path, QualityRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, out, first = world
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.np?")}
    for module, name in (
        (models, "tune"),
        (models, "line_up"),
        (part, "pools_of"),
        (part, "alone"),
    ):
        if name != "line_up":
            monkeypatch.setattr(module, name, forbidden)
    settings = with_peers(small(shop, ("temporal", "leave-last-out")), out.parent / "peers")
    again = run(settings, out)
    assert again.results["parts"] == first.results["parts"]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.np?")} == before


def forbidden(*_: object, **__: object) -> None:
    raise AssertionError("computed again")


def test_a_removed_file_alone_is_computed_again(world: tuple[Path, Path, QualityRun]) -> None:
    shop, out, first = world
    own = out / "shop" / "temporal"
    for path in (own / "systems" / "rrf-0.npz", own / "models" / "test-markov-0.npz"):
        path.unlink()
    again = run(with_peers(small(shop, ("temporal",)), out.parent / "peers"), out)
    assert again.results["parts"] == first.results["parts"][:1]
    assert (own / "systems" / "rrf-0.npz").exists()


def test_the_page_is_whole_and_the_table_is_markdown(
    world: tuple[Path, Path, QualityRun],
) -> None:
    _, out, found = world
    path = write_report(out, found.results)
    page = path.read_text(encoding="utf-8")
    assert path == out / REPORT
    for anchor in ("bars", "systems", "strata", "items", "curve", "ablation", "weights", "beyond",
                   "tuning", "references", "origin"):  # fmt: skip
        assert f'id="{anchor}"' in page
    assert "Benchmark of recommendation quality" in page
    body = page.partition("<script>")[0]
    assert not re.search(r'(src|href)="https?:', body)
    lines = (out / TABLE).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "### shop, temporal"
    assert {line.count("|") for line in lines if line.startswith("|")} == {12}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("systems/markov-0.npz", b"no archive"),
        ("pools/test-0.npz", b""),
        ("pools/weights-0.json", b"{}"),
        ("tuned/markov.json", b"[1]"),
        ("curve.json", b"{"),
    ],
)
def test_a_damaged_file_is_named_with_the_way_out(
    world: tuple[Path, Path, QualityRun], name: str, content: bytes
) -> None:
    shop, out, _ = world
    own = out / "shop" / "temporal"
    path, held = own / name, (own / name).read_bytes()
    removed = own / "systems" / "S-0.npz"
    kept = removed.read_bytes()
    if name.startswith("pools"):
        removed.unlink()
    if name.startswith("tuned"):
        (own / "pools" / "learn-0.npz").unlink()
    path.write_bytes(content)
    try:
        with pytest.raises(InvalidInput, match=re.escape(path.name)) as caught:
            run(small(shop), out)
        assert "remove the file" in caught.value.hint
    finally:
        path.write_bytes(held)
        removed.write_bytes(kept)


def test_another_question_does_not_mix_with_the_results_of_this_one(
    world: tuple[Path, Path, QualityRun],
) -> None:
    shop, out, _ = world
    with pytest.raises(InvalidInput, match="another trials: 2, not 3"):
        run(replace(small(shop), trials=3), out)


def test_scores_of_other_users_are_refused(world: tuple[Path, Path, QualityRun]) -> None:
    shop, out, _ = world
    peer = out.parent / "wrong" / "shop-temporal" / "short"
    peer.mkdir(parents=True)
    np.save(peer / "scores.npy", np.zeros((3, 30), dtype=np.float32))
    (peer / "report.json").write_text("{}")
    with pytest.raises(InvalidInput, match=r"shape \(3, 30\)"):
        run(with_peers(small(shop), peer.parents[1]), out)


def test_the_command_says_what_is_wrong_and_ends_with_two(tmp_path: Path) -> None:
    for words, says in (
        (["--data", "nowhere"], "no data set is named 'nowhere'"),
        (["--protocol", "random"], "no protocol is named 'random'"),
        (["--systems", "guess"], "no system is named 'guess'"),
        (["--systems", "popular,S"], "S of the sources"),
        (["--seeds", "one"], "--seeds 'one'"),
        (["--peers", str(tmp_path / "none")], "there is no"),
    ):
        done = CliRunner().invoke(app, ["quality", "--out", str(tmp_path / "out"), *words])
        assert done.exit_code == 2, done.output
        assert says in done.stderr
        assert "hint: " in done.stderr
        assert "Traceback" not in done.output


def test_the_command_ends_with_one_when_a_bar_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "load_embedder", lambda name: Letters())
    shop = write_shop(tmp_path / "shop")
    words = ["--data", str(shop), "--protocol", "temporal", "--trials", "1", "--out",
             str(tmp_path / "out"), "--systems", "markov,popular,S"]  # fmt: skip
    done = CliRunner().invoke(app, ["quality", *words])
    assert done.exit_code == 1, done.output
    assert "FAILED: S " in done.stdout
    assert "shop, temporal: 40 users, 30 items" in done.stdout
    assert (tmp_path / "out" / REPORT).exists()
