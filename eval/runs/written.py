"""What a prompt run leaves behind: its record, and the tables that the record is drawn from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from eval.answers.judge import PromptFor
from eval.answers.lane import Lane
from eval.pools import GIVEN, QuestionSet
from eval.prompt_config import PromptRunConfig
from eval.question import questions_hash
from eval.ranking import BASE
from eval.records.asked import write_asked
from eval.records.origin import commit, versions
from eval.records.record import (
    Comparison,
    Model,
    Probes,
    PromptUsed,
    RunRecord,
    Sequential,
    System,
)
from eval.records.tables import Judgement, Shown, write_judgements, write_prompts, write_rows
from eval.records.trec import write_qrels, write_trec_runs
from eval.runs.ask import AskedRun
from eval.runs.contestants import Contestant
from eval.runs.decide import (
    check_thresholds,
    comparisons_of,
    measured_spread,
    needed_questions,
)
from eval.runs.measured import Measured, rows_of, strata_of
from prompts.prompt import Turn


def record_of(
    config: PromptRunConfig,
    run_id: str,
    asked: QuestionSet,
    run: AskedRun,
    measured: Mapping[str, Measured],
    probes: Mapping[str, Probes],
    lanes: Mapping[str, Lane],
    prompts: Mapping[str, PromptFor],
) -> RunRecord:
    """Everything that goes into ``record.json``; what was not measured is ``None`` there."""
    questions = asked.questions
    comparisons = comparisons_of(config, measured, run)
    systems = [
        _system(one, measured[BASE], config, asked, run, comparisons, probes)
        for one in measured.values()
    ]
    thresholds = check_thresholds(config.thresholds, systems, config.primary)
    failed = [one.text for one in thresholds if not one.passed]
    first = run.contenders[0].name
    return RunRecord(
        id=run_id,
        at=datetime.now(UTC).isoformat(),
        name=config.name,
        config=config.model_dump(mode="json"),
        data_sha256=questions_hash(questions),
        commit=commit(),
        versions=versions(),
        primary=config.primary,
        queries=int(measured[first].asked.sum()),
        asked_for=len(questions),
        catalogue=asked.catalogue,
        models=[
            Model(
                name=one.name,
                model_id=lanes[one.name].info.model_id,
                tier=lanes[one.name].info.tier,
                replayed=one.replay,
            )
            for one in config.models
        ],
        prompts=[
            PromptUsed(
                variant=variant.name,
                reference=prompts[variant.name](lang).version,
                lang=lang,
                sha256=prompts[variant.name](lang).sha256,
            )
            for variant in config.variants
            for lang in sorted({question.lang for question in questions})
        ],
        seeds=list(config.seeds),
        left_out=dict(asked.left_out) | _excluded(measured, len(questions)),
        split=_split(config, asked),
        required_n=needed_questions(
            config.stats,
            int(measured[first].asked.sum()),
            measured_spread(measured, first, config.primary),
        ),
        systems=systems,
        thresholds=thresholds,
        verdict="incomplete" if run.incomplete else "failed" if failed else "passed",
        verdict_because=run.incomplete
        or "; ".join(failed)
        or (f"{len(thresholds)} thresholds hold" if thresholds else "no threshold was set"),
    )


def _system(
    one: Measured,
    base: Measured,
    config: PromptRunConfig,
    asked: QuestionSet,
    run: AskedRun,
    comparisons: Mapping[str, list[Comparison]],
    probes: Mapping[str, Probes],
) -> System:
    it, name = one.contestant, one.name
    test = run.tests.get(name)
    low, high = test.interval if test else (None, None)
    answers = [answer for answer in it.answers if answer is not None]
    return System(
        name=name,
        kind=it.kind,
        variant=it.contender.variant.name if it.contender else None,
        model=it.contender.model if it.contender else None,
        seed=it.contender.seed if it.contender else None,
        figures={metric: one.figure(metric, config.seed) for metric in config.metrics},
        coverage=one.coverage(asked.catalogue),
        strata=strata_of(one, base, asked.questions, config.primary, config.seed),
        cost=one.cost(),
        judged=sum(len(answer.items) for answer in answers),
        failed=sum(answer.failed for answer in answers),
        missing=sum(answer.missing for answer in answers),
        weight=it.weight,
        weight_from=it.weight_from,
        comparisons=comparisons.get(name, []),
        sequential=Sequential(decision=test.decision, at=test.n, low=low, high=high)
        if test
        else None,
        probes=probes.get(name, Probes()),
    )


def _split(config: PromptRunConfig, asked: QuestionSet) -> dict[str, object]:
    """How the questions were told from what may be known; shares only where they were used."""
    split: dict[str, object] = {"kind": asked.split}
    if asked.split != GIVEN:
        split["period"] = config.split.period
    if asked.cuts:
        split |= config.split.model_dump(mode="json")
    return split | {"cuts": [cut.isoformat() for cut in asked.cuts], "weights": asked.weights}


def _excluded(measured: Mapping[str, Measured], questions: int) -> dict[str, int]:
    """Questions that some system has no value for, by system and reason."""
    counts: dict[str, int] = {}
    for name, one in measured.items():
        if missing := questions - int(one.asked.sum()):
            counts[f"not asked: {name}"] = missing
        whole = sum(bool(a and a.failed_because) for a in one.contestant.answers)
        if whole:
            counts[f"call failed, S stands: {name}"] = whole
    return counts


def write_tables(
    folder: Path,
    config: PromptRunConfig,
    asked: QuestionSet,
    contestants: Sequence[Contestant],
    measured: Mapping[str, Measured],
    lanes: Mapping[str, Lane],
) -> None:
    """Questions, qrels, rankings, rows, judgements and what was shown."""
    questions = asked.questions
    write_asked(folder, questions)
    write_qrels(folder, {question.query_id: question.relevant for question in questions})
    write_trec_runs(
        folder,
        {
            one.name: {
                question.query_id: order
                for question, order in zip(questions, one.orders, strict=True)
                if order is not None
            }
            for one in contestants
        },
    )
    write_rows(folder, rows_of(measured, questions, config.primary))
    write_judgements(folder, _judgements(contestants, asked))
    shown = {
        sha256: turns
        for lane in {id(lane): lane for lane in lanes.values()}.values()
        for sha256, turns in lane.shown.items()
    }
    write_prompts(
        folder,
        [Shown(sha256, [Turn(**turn) for turn in turns]) for sha256, turns in shown.items()],
    )


def _judgements(contestants: Sequence[Contestant], asked: QuestionSet) -> Iterator[Judgement]:
    for one in contestants:
        if not one.answers:
            continue
        for question, answer, ranked in zip(asked.questions, one.answers, one.ranked, strict=True):
            if answer is None or ranked is None:
                continue
            base = {c.item_id: (at, c.score) for at, c in enumerate(question.candidates, start=1)}
            final = {c.item_id: (at, c.parts) for at, c in enumerate(ranked, start=1)}
            for item in answer.items:
                yield Judgement(
                    system=one.name,
                    query_id=question.query_id,
                    item_id=item.item_id,
                    base_rank=base[item.item_id][0],
                    final_rank=final[item.item_id][0],
                    base_score=base[item.item_id][1],
                    log_odds=float("nan") if item.log_odds is None else item.log_odds,
                    logprobs=dict(item.logprobs or {}),
                    parts=dict(final[item.item_id][1]),
                    relevant=item.item_id in question.relevant,
                    conversation=item.conversation,
                )
