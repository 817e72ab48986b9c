"""Evidence to profiles: read what was not read yet, write what changed, embed what is new.

Every step commits as it goes, and every step first looks at what exists already. A build
that is killed, or whose model goes away, is continued by running it again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from agent.ports import LanguageModel
from agent.profiles.embed import embed_profiles
from agent.profiles.extract import Chunk, Extractor
from agent.profiles.report import BuildReport
from agent.profiles.subjects import Materials, all_subjects, prompt_hashes
from agent.profiles.writer import ProfileWriter
from prompts.library import PromptLibrary
from retrieval.errors import NotFound
from retrieval.ports import Catalog, Embedder, EventLog, ProfileStore, Progress, VectorIndex
from retrieval.types import Subject


def build_profiles(
    *,
    catalog: Catalog,
    event_log: EventLog,
    profiles: ProfileStore,
    model: LanguageModel | None,
    prompts: PromptLibrary,
    embedder: Embedder,
    item_index: VectorIndex,
    user_index: VectorIndex,
    progress: Progress,
    users: Sequence[str] | None = None,
    items: Sequence[str] | None = None,
    as_of: datetime | None = None,
    write_with_llm: bool = True,
    tau_days: float = 730.0,
    max_rows: int = 24,
    max_texts: int = 100,
) -> BuildReport:
    """Bring the profiles of users and items, and their vectors, up to date.

    Args:
        catalog: users and items.
        event_log: evidence and interactions.
        profiles: where profiles and raw model outputs are kept.
        model: reads reviews and captions; ``None`` builds from attributes and choices only.
        prompts: those in production are used.
        embedder: makes the vectors.
        item_index: vectors of items.
        user_index: vectors of users.
        progress: stages plan, extract, write, embed.
        users: ids; ``None`` is everybody, an empty sequence is nobody.
        items: ids; ``None`` is everything, an empty sequence is nothing.
        as_of: nothing newer is read; ``None`` reads everything.
        write_with_llm: the model also writes the texts; otherwise a template does.
        tau_days: age in days at which evidence counts 1/e.
        max_rows: strongest rows that are kept in a profile.
        max_texts: newest reviews (pages, posts, …) that are read for one subject.

    Returns:
        What was done and what it cost. An unchanged subject is not written again.

    Raises:
        NotFound: an id of ``users`` or ``items`` is not in the catalogue.
        ModelUnavailable, ModelTimeout, Overloaded: the model went away; what is done stays,
            and the next call goes on from there.
    """
    began = time.monotonic()
    report = BuildReport()
    ids: dict[Subject, list[str]] = {
        "item": chosen_subjects(catalog, event_log, "item", items),
        "user": chosen_subjects(catalog, event_log, "user", users),
    }
    materials = Materials(
        catalog,
        event_log,
        model_id=model.info.model_id if model else None,
        prompts=prompts,
        as_of=as_of,
        max_texts=max_texts,
    )
    subjects = [(subject, one) for subject, some in ids.items() for one in some]
    if model is not None:
        missing = _unread(subjects, materials, profiles, progress, report)
        progress.start("extract", len(missing))
        Extractor(model, prompts, profiles, progress, report).read(missing)
        if report.malformed > report.lines and report.calls >= 4:
            progress.note(
                f"{model.info.model_id} answered {report.malformed:,} unusable lines and only"
                f" {report.lines:,} usable ones: a larger model would read better."
            )
    progress.start("write", len(subjects))
    writer = ProfileWriter(
        profiles,
        model if write_with_llm else None,
        prompts,
        progress,
        report,
        settings=[
            model.info.model_id if model else "",
            *(prompt_hashes(prompts) if model else ()),
            str(bool(model and write_with_llm)),
            repr(float(tau_days)),
            str(max_rows),
        ],
        tau_days=tau_days,
        max_rows=max_rows,
    )
    writer.write(materials.of(subject, one) for subject, one in subjects)
    indexes: tuple[tuple[Subject, VectorIndex, bool], ...] = (
        ("item", item_index, items is None),
        ("user", user_index, users is None),
    )
    for subject, index, everything in indexes:
        if ids[subject] or everything:
            report.vectors += embed_profiles(
                subject,
                ids[subject],
                catalog=catalog,
                profiles=profiles,
                embedder=embedder,
                index=index,
                progress=progress,
                forget_others=everything,
            )
    report.seconds = time.monotonic() - began
    return report


def chosen_subjects(
    catalog: Catalog, event_log: EventLog, subject: Subject, ids: Sequence[str] | None
) -> list[str]:
    """The ids, each once and known to the catalogue; ``None`` gives all there are.

    Raises:
        NotFound: names the first unknown id.
    """
    if ids is None:
        return list(all_subjects(catalog, event_log, subject))
    look_up = catalog.item if subject == "item" else catalog.user
    for one in ids:
        try:
            look_up(one)
        except NotFound as error:
            raise NotFound(
                f"there is no {subject} {one[:80]!r}", "check the id, or ingest it first"
            ) from error
    return list(dict.fromkeys(ids))


def _unread(
    subjects: Sequence[tuple[Subject, str]],
    materials: Materials,
    profiles: ProfileStore,
    progress: Progress,
    report: BuildReport,
) -> list[Chunk]:
    """Every text that some profile needs and no cache holds, each once."""
    progress.start("plan", len(subjects))
    chunks: dict[str, Chunk] = {}
    for subject, subject_id in subjects:
        material = materials.of(subject, subject_id)
        report.chunks_left_out += material.left_out
        report.texts_left_out += material.texts_left_out
        report.texts_too_short += material.too_short
        chunks.update((chunk.key, chunk) for some in material.chunks.values() for chunk in some)
        progress.advance()
    cached = profiles.cached_extraction(list(chunks))
    report.texts_cached = len(cached)
    return [chunk for key, chunk in chunks.items() if key not in cached]
