"""Pictures of a data set to caption evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from retrieval.errors import InvalidInput, NotFound
from retrieval.ports import Captioner, EventLog, Progress
from retrieval.sources.clean import clean_text, detect_lang
from retrieval.sources.dataset import DataSet
from retrieval.sources.rejects import RejectsFile
from retrieval.sources.values import EPOCH
from retrieval.types import Evidence, Item, content_hash


def caption_pictures(
    dataset: DataSet,
    event_log: EventLog,
    captioner: Captioner,
    progress: Progress,
    rejects: RejectsFile,
) -> tuple[int, int, int]:
    """Describe every picture that has no caption by this captioner yet.

    A caption is stored as soon as it is there, so a killed run goes on where it was. What
    an earlier captioner or an earlier picture said of the item is taken back (no text, no
    trust). An unusable picture is a warning, never the end.

    Returns:
        (pictures, captions written now, unusable pictures).
    """
    total = sum(len(item.media) for item in _items(dataset))
    if not total:
        return 0, 0, 0
    progress.start("pictures", total)
    written = unusable = 0
    for item in _items(dataset):
        known = {
            one.evidence_id: one
            for one in event_log.evidence("item", item.item_id)
            if one.kind == "caption"
        }
        current: set[str] = set()
        for name in item.media:
            path = dataset.folder / name
            try:
                caption_id = _caption_id(item.item_id, path, captioner)
                current.add(caption_id)
                if caption_id not in known or not known[caption_id].text:
                    caption = _caption(item.item_id, caption_id, path, captioner)
                    written += event_log.append_evidence([caption])
            except (InvalidInput, NotFound) as error:
                unusable += 1
                rejects.warn(f"{name}: {error.message}")
            progress.advance()
        outdated = [one for key, one in known.items() if key not in current and one.text]
        event_log.append_evidence([_taken_back(one) for one in outdated])
    return total, written, unusable


def has_pictures(folder: Path) -> bool:
    """Whether the data set has at least one file under images/."""
    try:
        return any(path.is_file() for path in (folder / "images").rglob("*"))
    except OSError:
        return False


def _items(dataset: DataSet) -> Iterator[Item]:
    # The rows were reported when they were read for the catalogue; once is enough.
    for row in dataset.rows("items", rejects=RejectsFile(None)):
        item = cast("Item", row.record)
        if item.media:
            yield item


def _caption_id(item_id: str, path: Path, captioner: Captioner) -> str:
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}") from error
    return f"caption:{content_hash(item_id, digest, captioner.captioner_id)}"


def _caption(item_id: str, caption_id: str, path: Path, captioner: Captioner) -> Evidence:
    text = clean_text(captioner.caption(path))
    return Evidence(
        evidence_id=caption_id,
        subject="item",
        subject_id=item_id,
        kind="caption",
        text=text,
        lang=detect_lang(text),
        author="",
        at=EPOCH,
        trust=captioner.trust,
        sha256=content_hash(text),
    )


def _taken_back(evidence: Evidence) -> Evidence:
    return Evidence(
        evidence_id=evidence.evidence_id,
        subject=evidence.subject,
        subject_id=evidence.subject_id,
        kind=evidence.kind,
        text="",
        lang=evidence.lang,
        author=evidence.author,
        at=evidence.at,
        trust=0.0,
        sha256=content_hash(""),
    )
