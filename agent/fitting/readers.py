"""Which model read the texts that the stored profiles rest on.

Profiles do not name it: their version binds it, and so do the cache keys, and both are hashes.
But each model's outputs can be asked for, and the right ones hold what the profiles cite.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from agent.models.registry import load_registry
from agent.profiles.extract import READ_BY_MODEL, chunks_of, rows_of
from agent.settings import Settings
from prompts.library import PromptLibrary
from retrieval.ports import EventLog, ProfileStore, Progress
from retrieval.types import Evidence, Subject

_PROFILES = 2000
_ENOUGH = 500
_SUBJECTS: tuple[Subject, ...] = ("item", "user")

Citation = tuple[str, str, str, str]
"""Evidence id, aspect, polarity and quote."""


def possible_readers(settings: Settings) -> tuple[str, ...]:
    """Ids of the models that may have read: the one in the settings, then those known by name."""
    own = settings.llm.model
    entries = [entry for entry in load_registry().values() if entry.role == "llm"]
    ids = [] if own in ("auto", "none") else [own]
    ids += [entry.model_id for entry in entries]
    # Behind a URL a model is known by its name alone.
    ids += [entry.name for entry in entries]
    return tuple(dict.fromkeys([*ids, "scripted"]))


def reader_of(
    profiles: ProfileStore,
    event_log: EventLog,
    prompts: PromptLibrary,
    model_ids: Sequence[str],
    progress: Progress,
) -> str | None:
    """The model whose cached outputs hold most of what the stored profiles cite.

    Some hundred citations of the first profiles are enough to tell; of equal models the first.

    Args:
        profiles: with the extraction cache.
        event_log: holds the texts.
        prompts: those in production, as they were when the texts were read.
        model_ids: that may have read.
        progress: is told when texts are cited and none of the models has read them.

    Returns:
        ``None`` when the profiles cite no text, or none of the models read what they cite.
    """
    cited, evidence = _citations(profiles, event_log)
    if not cited:
        return None
    held = {
        model_id: len(cited & _read(evidence, model_id, prompts, profiles))
        for model_id in dict.fromkeys(model_ids)
    }
    best = max(held, key=lambda model_id: held[model_id], default=None)
    if best is not None and held[best]:
        return best
    progress.note(
        "The stored profiles cite texts, but the model that read them is none of"
        f" {', '.join(held) or 'those given'}, or its prompt has changed since: set llm.model to"
        " its id, or build the profiles again."
    )
    return None


def _citations(
    profiles: ProfileStore, event_log: EventLog
) -> tuple[frozenset[Citation], list[Evidence]]:
    """What profiles cite of texts that models read, and these texts."""
    found: set[Citation] = set()
    texts: dict[str, Evidence] = {}
    for subject in _SUBJECTS:
        here: set[Citation] = set()
        for profile in islice(profiles.profiles(subject), _PROFILES):
            cited = {
                (quote.evidence_id, row.aspect, row.polarity, quote.text)
                for row in profile.rows
                for quote in row.quotes
            }
            known = event_log.evidence_by_id(sorted({one[0] for one in cited}))
            read = {name: one for name, one in known.items() if one.kind in READ_BY_MODEL}
            texts.update(read)
            here.update(one for one in cited if one[0] in read)
            if len(here) >= _ENOUGH:
                break
        found |= here
    return frozenset(found), list(texts.values())


def _read(
    evidence: Sequence[Evidence], model_id: str, prompts: PromptLibrary, profiles: ProfileStore
) -> set[Citation]:
    """All that could be cited of the model's outputs."""
    chunks = {one.evidence_id: chunks_of(one, model_id, prompts)[0] for one in evidence}
    outputs = profiles.cached_extraction([one.key for some in chunks.values() for one in some])
    return {
        (row.evidence_id, row.aspect, row.polarity, row.quote)
        for one in evidence
        for row in rows_of(one, chunks[one.evidence_id], outputs)
    }
