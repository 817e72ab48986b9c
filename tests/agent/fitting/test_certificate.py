from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.fitting.certificate import (
    Certificate,
    LlmGate,
    Measured,
    SourceLine,
    check_certificate,
    fingerprint,
)
from agent.fitting.page import certificate_page
from agent.fitting.words import served
from agent.fusion_file import (
    FUSION_FILE,
    certificate_path,
    load_certificate,
    load_weights,
    save_fit,
)
from agent.recommend import Recommender
from agent.settings import Settings
from agent.stores import Stores
from retrieval.errors import InvalidInput, StoreError
from retrieval.fusion.gate import decide, decide_for_few
from retrieval.fusion.weights import FusionWeights, prior_weights, scenes_from
from retrieval.types import Query
from tests.agent.fitting.certified import certificate_of
from tests.agent.fitting.fitted_shop import fit_shop

EVIL = '<script>alert("x")</script>'


def learned(**changes: Any) -> FusionWeights:
    given: dict[str, Any] = {"kind": "learned", "n_labelled": 1234, "data_hash": "h", **changes}
    return FusionWeights(*scenes_from({"behaviour": 2.0, "markov": 1.0, "popular": 0.0}), **given)


def full(**changes: Any) -> Certificate:
    """Every field filled in."""
    before = np.random.default_rng(0).random(3200)
    strata = ["1-2" if at % 4 else "21+" for at in range(3200)]
    after = before + np.where(np.array(strata) == "21+", -0.1, 0.1)
    given: dict[str, Any] = {
        "users": 3200,
        "trainable": 900,
        "recall": 0.5,
        "gain": Measured("gain", 0.05, 0.04, 0.06),
        "best": "behaviour",
        "mixture": decide(before, after, strata),
        "adaptive": decide(after, after, strata),
        "llm": LlmGate("some/model", "rerank@1", 0.2, 60, 33.0, decide_for_few(before, after)),
        "notes": ("one", "two"),
        **changes,
    }
    return certificate_of(
        learned(slopes={"history": {"markov": 0.1}}, instead={"21+": "behaviour"}), **given
    )


def test_a_certificate_survives_its_file() -> None:
    certificate = full()
    text = certificate.to_json()
    assert Certificate.from_json(text) == certificate
    record = check_certificate(text, certificate.weights)
    assert record["mixture"]["strata"][1]["name"] == "21+" or record["mixture"]["strata"]
    unmeasured = certificate_of(prior_weights("h", "why"))
    assert Certificate.from_json(unmeasured.to_json()).to_json() == unmeasured.to_json()


def test_what_was_not_measured_is_null_in_the_record_and_a_dash_on_the_page() -> None:
    certificate = certificate_of(prior_weights("h"), recall=math.nan)
    assert json.loads(certificate.to_json())["recall"] is None
    assert "nan" not in certificate_page(certificate).casefold()


def tampered(**changes: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda record: {**record, **changes}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (tampered(users=10**6), "changed after it was written"),
        (tampered(gain={"name": "gain", "ndcg": 1, "low": 1, "high": 1}), "changed after"),
        (tampered(data_hash="other"), "changed after"),
        (tampered(format=0), "has format 0"),
        (lambda record: {k: v for k, v in record.items() if k != "sha256"}, "cannot be read"),
        (lambda record: [], "cannot be read"),
        (tampered(weights={}), "changed after"),
    ],
)
def test_a_certificate_that_was_changed_is_refused(
    change: Callable[[dict[str, Any]], Any], says: str
) -> None:
    certificate = full()
    text = json.dumps(change(json.loads(certificate.to_json())))
    with pytest.raises(InvalidInput, match=says) as caught:
        check_certificate(text, certificate.weights)
    assert "palate fit" in caught.value.hint


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "\x00"])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    for read in (Certificate.from_json, lambda one: check_certificate(one, learned())):
        with pytest.raises(InvalidInput, match="cannot be read"):
            read(text)


def test_a_certificate_is_of_its_weights_only() -> None:
    certificate = full()
    with pytest.raises(InvalidInput, match="other fusion weights"):
        check_certificate(certificate.to_json(), learned())
    other = replace(certificate, data_hash="another")
    with pytest.raises(InvalidInput, match="other data"):
        check_certificate(other.to_json(), other.weights)


def test_weights_survive_the_file_with_their_certificate(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    assert load_weights(home) is None
    assert load_certificate(home) is None
    certificate = full()
    page = save_fit(certificate, home)
    assert load_weights(home) == certificate.weights
    assert load_certificate(home) == certificate
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert sorted(path.name for path in home.iterdir()) == ["certificates", FUSION_FILE]
    assert sorted(path.suffix for path in page.parent.iterdir()) == [".html", ".json"]


def test_only_the_latest_certificates_are_kept(tmp_path: Path) -> None:
    for at in range(8):
        path = certificate_path(learned(n_labelled=at), tmp_path)
        save_fit(certificate_of(learned(n_labelled=at)), tmp_path)
        os.utime(path, (at, at))
    save_fit(certificate_of(learned(n_labelled=99)), tmp_path)
    left = list((tmp_path / "certificates").glob("*.json"))
    assert len(left) == len(list((tmp_path / "certificates").glob("*.html"))) == 5
    assert load_weights(tmp_path) is not None


def test_weights_that_were_edited_are_refused(tmp_path: Path) -> None:
    save_fit(full(), tmp_path)
    path = tmp_path / FUSION_FILE
    path.write_text(path.read_text().replace("0.66", "0.67"))
    with pytest.raises(InvalidInput, match="have no certificate"):
        load_weights(tmp_path)


def test_weights_without_a_certificate_are_refused(tmp_path: Path) -> None:
    certificate = full()
    save_fit(certificate, tmp_path)
    certificate_path(certificate.weights, tmp_path).unlink()
    with pytest.raises(InvalidInput, match="have no certificate") as caught:
        load_weights(tmp_path)
    assert "palate fit" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"format": 99}'])
def test_a_broken_file_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FUSION_FILE).write_bytes(content)
    with pytest.raises(InvalidInput, match="cannot be read") as caught:
        load_weights(tmp_path)
    assert "palate fit" in caught.value.hint


def test_a_home_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        save_fit(full(), blocked)
    assert stat.S_ISREG(blocked.stat().st_mode)
    assert blocked.read_text() == "in the way"


def test_a_service_answers_with_the_prior_when_weights_are_refused(
    settings: Settings, stores: Stores, build: Callable[[], Recommender]
) -> None:
    fit_shop(stores, {"item_knn": 1.0, "popular": 1.0})
    answer = build().recommend(Query(user_id="bob"))
    assert answer.trace.weights_used == "learned"
    assert not [note for note in answer.trace.notes if "prior" in note]
    path = settings.store.home / FUSION_FILE
    edited = json.loads(path.read_text())
    edited["without_text"] = {"item_knn": 0.1, "popular": 0.9}
    path.write_text(json.dumps(edited))
    answer = build().recommend(Query(user_id="bob"))
    assert answer.trace.weights_used == "prior"
    assert answer.recommendations
    said = [note for note in answer.trace.notes if "fusion weights are the prior" in note]
    assert len(said) == 1
    assert "have no certificate" in said[0]


class _Page(HTMLParser):
    """Tags that are open, and what loads something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    "certificate",
    [
        full(),
        full(llm=None, adaptive=None, notes=()),
        full(mixture=decide(np.ones(1200), np.zeros(1200), ["1-2"] * 1200)),
        certificate_of(prior_weights("h", "3 users to learn from, 10 are needed"), cut=""),
        certificate_of(learned(), sources=(), combined=()),
    ],
    ids=["all", "no gates", "closed", "prior", "nothing"],
)
def test_the_page_is_whole_and_loads_nothing(certificate: Certificate) -> None:
    text = certificate_page(certificate)
    page = _Page(text)
    assert page.open == []
    assert page.loads == ["data:,"]
    assert "<script" not in text
    assert served(certificate).word in text
    assert fingerprint(certificate.weights) in text
    for line in certificate.sources:
        assert f'<th scope="row">{line.name}</th>' in text


def test_the_page_escapes_what_comes_from_data() -> None:
    weights = FusionWeights({EVIL: 1.0}, {"query": 1.0}, data_hash=EVIL, instead={"1-2": EVIL})
    line = SourceLine(EVIL, Measured(EVIL, 0.1, 0.0, 0.2), 1.0, 1.0, 1, EVIL)
    certificate = certificate_of(weights, sources=(line,), best=EVIL, notes=(EVIL,), cut=EVIL)
    text = certificate_page(certificate)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 6


def test_the_page_says_where_the_gate_is_closed_and_how_weights_move() -> None:
    text = re.sub(r"\s+", " ", certificate_page(full()))
    assert "closed for histories of 21+" in text
    assert "it is shown to lose here" in text
    row = re.search(r'<th scope="row">markov</th>((?:<td style[^>]*>[\d.]+</td>)+)', text)
    assert row is not None
    shares = [float(one) for one in re.findall(r">([\d.]+)<", row[1])]
    assert len(shares) == 5
    assert shares[0] < shares[1] < shares[2]
    assert shares[3:] == [0, 0], "in long histories one source ranks alone"
    assert "some/model" in text


def test_one_sentence_says_what_is_served() -> None:
    assert served(full()).proven
    assert served(full()).word == "A mixture of 2 sources ranks"
    assert "proven on 3,200 users" in served(full()).sentence
    few = full(mixture=decide_for_few(np.zeros(40), np.linspace(-0.1, 0.2, 40)))
    assert not served(few).proven
    assert "not proven: 40 users, 3,000 are needed" in served(few).sentence
    closed = full(mixture=decide(np.ones(1200), np.zeros(1200), ["1-2"] * 1200))
    assert served(closed).word == "behaviour ranks alone"
    prior = certificate_of(prior_weights("h", "3 users to learn from, 10 are needed"))
    assert served(prior).word == "The prior ranks"
    assert "3 users to learn from" in served(prior).sentence
