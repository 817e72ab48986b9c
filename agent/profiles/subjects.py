"""What stands in the stores about one user or item, brought together for a profile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from agent.profiles.attributes import Preferences, attribute_rows
from agent.profiles.extract import READ_BY_MODEL, Chunk, chunks_of, rows_of
from agent.profiles.reduce import ExtractedRow
from agent.profiles.vocabulary import vocabulary_sha256
from prompts.library import PromptLibrary
from prompts.prompt import LANGUAGES
from retrieval.ports import Catalog, EventLog
from retrieval.types import Evidence, Subject, content_hash

# Raise when code changes what a profile says, so that every profile is built anew.
FORMAT = "profile-2"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that a profile of one subject rests on, nothing of it after ``as_of``."""

    subject: Subject
    subject_id: str
    title: str
    evidence: tuple[Evidence, ...]
    chunks: Mapping[str, tuple[Chunk, ...]]
    left_out: int
    texts_left_out: int
    too_short: int
    choices: tuple[ExtractedRow, ...]
    as_of: datetime

    @property
    def keys(self) -> list[str]:
        """Cache keys of every text that a model reads for this subject."""
        return [chunk.key for chunks in self.chunks.values() for chunk in chunks]

    @property
    def lang(self) -> str:
        """The language of most of its words; of its attributes where nobody wrote anything."""
        langs = Counter(one.lang for one in self.evidence if one.kind in READ_BY_MODEL)
        if not langs:
            langs.update(one.lang for one in self.evidence)
            langs.update(row.lang for row in self.choices)
        return min(langs, key=lambda name: (-langs[name], name)) if langs else "en"

    def rows(self, outputs: Mapping[str, str]) -> list[ExtractedRow]:
        """Rows of all evidence, given the model's outputs by cache key."""
        rows = list(self.choices)
        rows += attribute_rows(one for one in self.evidence if one.kind == "attribute")
        for one in self.evidence:
            rows += rows_of(one, self.chunks.get(one.evidence_id, ()), outputs)
        return rows

    def version(self, settings: Sequence[str], missing: Sequence[str]) -> str:
        """Binds all that the profile depends on; ``missing`` are keys without an output."""
        parts = [FORMAT, vocabulary_sha256(), self.subject, self.subject_id, self.title]
        parts += [*settings, self.as_of.isoformat()]
        for one in sorted(self.evidence, key=lambda one: one.evidence_id):
            parts += [one.evidence_id, one.sha256, one.author, one.at.isoformat(), str(one.trust)]
            parts += [one.kind, one.lang]
        for row in sorted(self.choices, key=lambda row: (row.aspect, row.evidence_id)):
            parts += [row.aspect, row.label, row.evidence_id, row.at.isoformat(), row.quote]
        return content_hash(*parts, "missing", *sorted(missing))


class Materials:
    """Reads materials from the stores.

    Args:
        catalog: knows titles and attributes.
        event_log: knows evidence and interactions.
        model_id: of the model that reads texts; ``None`` when none does.
        prompts: the one in production that texts are read with.
        as_of: nothing newer is read; ``None`` reads everything, and a subject's own
            latest evidence is its cut-off, so that others' news change nothing.
        max_texts: the newest that many texts of a subject are read, the older are left out.
    """

    def __init__(
        self,
        catalog: Catalog,
        event_log: EventLog,
        *,
        model_id: str | None,
        prompts: PromptLibrary,
        as_of: datetime | None,
        max_texts: int,
    ) -> None:
        self._catalog = catalog
        self._event_log = event_log
        self._model_id = model_id
        self._prompts = prompts
        self._as_of = as_of
        self._max_texts = max_texts
        self._preferences: Preferences | None = None

    def of(self, subject: Subject, subject_id: str) -> Material:
        """What is known of one subject; it may be nothing."""
        evidence, texts_left_out = self._evidence(subject, subject_id)
        chunks: dict[str, tuple[Chunk, ...]] = {}
        left_out = too_short = 0
        if self._model_id is not None:
            for one in evidence:
                found, beyond = chunks_of(one, self._model_id, self._prompts)
                chunks[one.evidence_id] = tuple(found)
                left_out += beyond
                too_short += not found and one.kind in READ_BY_MODEL
        title = ""
        choices: tuple[ExtractedRow, ...] = ()
        if subject == "item":
            title = next((item.title for item in self._catalog.items([subject_id])), "")
        else:
            choices = tuple(self._shared_preferences().rows(subject_id, self._as_of))
        dated = [one.at for one in evidence if one.kind in READ_BY_MODEL]
        dated += [row.at for row in choices]
        return Material(
            subject=subject,
            subject_id=subject_id,
            title=title,
            evidence=evidence,
            chunks=chunks,
            left_out=left_out,
            texts_left_out=texts_left_out,
            too_short=too_short,
            choices=choices,
            as_of=self._as_of or max(dated, default=EPOCH),
        )

    def _evidence(self, subject: Subject, subject_id: str) -> tuple[tuple[Evidence, ...], int]:
        """Evidence up to the cut-off, oldest first, and how many texts were too many."""
        found = [
            one
            for one in self._event_log.evidence(subject, subject_id, self._as_of)
            if self._as_of is None or one.at <= self._as_of
        ]
        reviews = [one for one in found if one.kind in READ_BY_MODEL and one.kind != "caption"]
        beyond = {one.evidence_id for one in reviews[: -self._max_texts]}
        return tuple(one for one in found if one.evidence_id not in beyond), len(beyond)

    def _shared_preferences(self) -> Preferences:
        if self._preferences is None:
            self._preferences = Preferences(self._catalog, self._event_log)
        return self._preferences


def all_subjects(catalog: Catalog, event_log: EventLog, subject: Subject) -> Iterator[str]:
    """Ids in order: everybody in the catalogue and everybody with evidence."""
    known = (
        {item.item_id for item in catalog.items()}
        if subject == "item"
        else {user.user_id for user in catalog.users()}
    )
    yield from sorted(known.union(event_log.subjects_with_evidence(subject)))


def prompt_hashes(prompts: PromptLibrary) -> list[str]:
    """The sha256 of every prompt that profiles depend on."""
    return [
        prompts.find(name, lang).sha256
        for name in ("extract", "write_profile")
        for lang in LANGUAGES
    ]
