"""Profile texts into the vector index: only what the index does not hold in this version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from retrieval.ports import Catalog, Embedder, ProfileStore, Progress, VectorIndex
from retrieval.types import Profile, Subject

_BATCH = 256


def embed_profiles(
    subject: Subject,
    ids: Sequence[str],
    *,
    catalog: Catalog,
    profiles: ProfileStore,
    embedder: Embedder,
    index: VectorIndex,
    progress: Progress,
    forget_others: bool,
) -> int:
    """Make the index agree with the stored profiles of ``ids``; returns how many were embedded.

    Profiles without text leave the index. With ``forget_others`` so does every id that is
    not among ``ids``. Items are embedded as "title. text".
    """
    held = index.versions()
    gone = set(held) - set(ids) if forget_others else set()
    stale: list[str] = []
    for subject_id in ids:
        version = profiles.version(subject, subject_id)
        if version is None:
            gone |= {subject_id} & set(held)
        elif held.get(subject_id) != version:
            stale.append(subject_id)
    progress.start(f"embed {subject}s", len(stale))
    embedded = 0
    found = _profiles(subject, stale, profiles)
    while batch := list(islice(found, _BATCH)):
        texts = _texts(subject, batch, catalog)
        gone.update({one.subject_id for one in batch} - {one.subject_id for one, _ in texts})
        if texts:
            vectors = embedder.embed([text for _, text in texts])
            index.upsert(
                [profile.subject_id for profile, _ in texts],
                vectors,
                [text for _, text in texts],
                [profile.version for profile, _ in texts],
            )
        embedded += len(texts)
        progress.advance(len(batch))
    present = sorted(gone & set(held))
    if present:
        index.delete(present)
    return embedded


def index_text(title: str, profile: Profile) -> str:
    """What is embedded for a profile; "" when there is nothing to say."""
    parts = [title.strip().rstrip(".。"), profile.text.strip()]
    return ". ".join(part for part in parts if part)


def _profiles(subject: Subject, ids: Sequence[str], profiles: ProfileStore) -> Iterator[Profile]:
    """The stored profiles of ``ids``; read page by page where they are most of all anyway."""
    if len(ids) > _BATCH:
        wanted = set(ids)
        yield from (one for one in profiles.profiles(subject) if one.subject_id in wanted)
        return
    for subject_id in ids:
        profile = profiles.get(subject, subject_id)
        if profile is not None:
            yield profile


def _texts(
    subject: Subject, batch: Sequence[Profile], catalog: Catalog
) -> list[tuple[Profile, str]]:
    ids = [profile.subject_id for profile in batch]
    titles = {item.item_id: item.title for item in catalog.items(ids)} if subject == "item" else {}
    texts = [(one, index_text(titles.get(one.subject_id, ""), one)) for one in batch]
    return [(profile, text) for profile, text in texts if text]
