"""Reduced, put into words, stored: one profile after the other, the model asked in batches."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.ports import Generation, LanguageModel
from agent.profiles.extract import whole_lines
from agent.profiles.reduce import reduce_rows
from agent.profiles.report import BuildReport
from agent.profiles.subjects import Material
from agent.profiles.template import is_fact, template_sentences
from agent.profiles.write import MIN_ROWS, checked_text, rows_to_write, write_conversation
from prompts.library import PromptLibrary
from retrieval.errors import ContextOverflow, ModelOutputError, PalateError
from retrieval.ports import ProfileStore, Progress
from retrieval.types import AspectRow, Profile

_BATCH = 16


@dataclass(frozen=True, slots=True)
class _Draft:
    material: Material
    rows: tuple[AspectRow, ...]
    version: str


class ProfileWriter:
    """Writes the profiles that changed.

    Args:
        profiles: where they are stored.
        model: puts rows into words; ``None`` leaves that to the template.
        prompts: the one in production is used.
        progress: told of every subject.
        report: counts.
        settings: everything but the material that a profile depends on; part of its version.
        tau_days: see ``reduce_rows``.
        max_rows: see ``keep_strongest``.
    """

    def __init__(
        self,
        profiles: ProfileStore,
        model: LanguageModel | None,
        prompts: PromptLibrary,
        progress: Progress,
        report: BuildReport,
        *,
        settings: Sequence[str],
        tau_days: float,
        max_rows: int,
    ) -> None:
        self._profiles = profiles
        self._model = model
        self._prompts = prompts
        self._progress = progress
        self._report = report
        self._settings = settings
        self._tau_days = tau_days
        self._max_rows = max_rows
        self._lock = threading.Lock()

    def write(self, materials: Iterable[Material]) -> None:
        """Write every profile whose version is not stored yet."""
        model = self._model
        drafts: list[_Draft] = []
        for material in materials:
            draft = self._draft(material)
            if draft is None:
                self._progress.advance()
            elif model is not None and len(rows_to_write(draft.rows)) >= MIN_ROWS:
                drafts.append(draft)
                if len(drafts) == _BATCH:
                    self._ask(model, drafts)
                    drafts = []
            else:
                self._finish(draft, None)
        if model is not None and drafts:
            self._ask(model, drafts)

    def _draft(self, material: Material) -> _Draft | None:
        outputs = self._profiles.cached_extraction(material.keys)
        missing = [key for key in material.keys if key not in outputs]
        version = material.version(self._settings, missing)
        stored = self._profiles.version(material.subject, material.subject_id)
        if stored == version:
            self._report.profiles_unchanged += 1
            return None
        rows = reduce_rows(
            material.rows(outputs),
            as_of=material.as_of,
            tau_days=self._tau_days,
            subject=f"{material.subject}:{material.subject_id}",
        )
        if not rows and stored is None and material.subject == "user":
            return None
        return _Draft(material, keep_strongest(rows, self._max_rows), version)

    def _ask(self, model: LanguageModel, drafts: Sequence[_Draft]) -> None:
        finished: set[int] = set()
        prompts = [self._prompts.find("write_profile", draft.material.lang) for draft in drafts]

        def done(index: int, answer: Generation) -> None:
            with self._lock:
                if index in finished:
                    return
                finished.add(index)
                self._report.add_generation(answer)
                self._finish(drafts[index], whole_lines(answer))

        try:
            answers = model.generate(
                [
                    write_conversation(draft.material.subject, draft.rows, prompt)
                    for draft, prompt in zip(drafts, prompts, strict=True)
                ],
                max_tokens=max(prompt.max_tokens for prompt in prompts),
                stop=prompts[0].stop,
                done=done,
            )
            for index, answer in enumerate(answers):
                done(index, answer)
        except (ContextOverflow, ModelOutputError) as error:
            left = [draft for index, draft in enumerate(drafts) if index not in finished]
            if len(drafts) > 1:
                for draft in left:
                    self._ask(model, [draft])
            elif left:
                self._report.writings_failed += 1
                self._report.last_failure = error.message
                self._finish(drafts[0], None)
        except PalateError as error:
            raise type(error)(
                f"{error.message} (while profiles were written; {self._report.profiles_built:,}"
                " are stored)",
                "run `palate profiles build` again: it goes on where it stopped"
                + (f"; {error.hint}" if error.hint else ""),
            ) from error

    def _finish(self, draft: _Draft, answer: str | None) -> None:
        """Store one profile, with the model's sentences where there is an answer."""
        material = draft.material
        sentences = template_sentences(material.subject, draft.rows, material.lang)
        by_llm = False
        if answer is not None:
            written = checked_text(material.subject, draft.rows, material.lang, answer)
            sentences, by_llm = written.sentences, written.by_llm
            self._report.sentences_kept += written.kept
            self._report.sentences_rejected += len(written.rejected)
        self._profiles.put(
            Profile(
                subject=material.subject,
                subject_id=material.subject_id,
                rows=draft.rows,
                sentences=sentences,
                as_of=material.as_of,
                version=draft.version,
                written_by="llm" if by_llm else "template",
            )
        )
        self._report.profiles_built += 1
        self._report.written_by_llm += by_llm
        self._progress.advance()


def keep_strongest(rows: Sequence[AspectRow], max_rows: int) -> tuple[AspectRow, ...]:
    """The first ``max_rows`` rows, in order; attributes take at most half when others wait.

    An item may have more attributes than people said things about it, and attributes do
    not age: without this they would crowd out what people said.
    """
    facts = [row for row in rows if is_fact(row)]
    others = [row for row in rows if not is_fact(row)]
    room = max(max_rows // 2, max_rows - len(others))
    kept = {row.row_id for row in (*facts[:room], *others[: max_rows - min(room, len(facts))])}
    return tuple(row for row in rows if row.row_id in kept)
