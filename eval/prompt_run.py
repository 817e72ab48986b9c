"""A prompt run from config to record: load, ask, rank, probe, compare, decide, write down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from agent.models.running import language_model
from agent.prompting import open_prompts
from agent.settings import read_settings
from eval.answers.cassette import Cassette
from eval.answers.judge import PromptFor, judged_candidates
from eval.answers.lane import Budget, Lane
from eval.load import load_questions
from eval.pools import QuestionSet
from eval.prompt_config import ModelConfig, PromptRunConfig, VariantConfig
from eval.question import questions_hash
from eval.ranking import BASE
from eval.records.asked import write_asked
from eval.records.folder import RunFolder
from eval.records.origin import commit, versions
from eval.records.record import (
    Model,
    Probes,
    PromptUsed,
    RunRecord,
    Sequential,
    System,
    write_record,
)
from eval.records.tables import Judgement, Shown, write_judgements, write_prompts, write_rows
from eval.records.trec import write_qrels, write_trec_runs
from eval.report.write import write_report
from eval.runs.ask import AskedRun, ask_all
from eval.runs.contestants import Contestant, contestants_of
from eval.runs.decide import (
    check_thresholds,
    comparisons_of,
    measured_spread,
    needed_questions,
)
from eval.runs.measured import Measured, measure_all, rows_of, strata_of
from eval.runs.probe import probe_all
from prompts.prompt import PromptError, Turn
from retrieval.errors import InvalidInput, ModelUnavailable
from retrieval.ports import Progress

ANSWERS = "answers"
"""Folder beside the runs where answers are recorded that no config names a file for."""


def run_prompts(
    config: PromptRunConfig,
    runs: Path,
    progress: Progress,
    *,
    budget: int | None = None,
    run_id: str | None = None,
) -> tuple[Path, RunRecord]:
    """Run a config and write ``runs/ID/``.

    Args:
        config: what to run.
        runs: folder of all runs.
        progress: sees every stage.
        budget: tokens that may be asked for; replayed ones are free.
        run_id: id of the run; ``None`` makes one.

    Returns:
        The run's folder, and its record.

    Raises:
        PalateError: the run cannot be made; what was answered until then is on record.
    """
    # Before there is a folder: what cannot begin leaves none behind.
    prompts = {one.name: prompt_of(one) for one in config.variants}
    asked = load_questions(config, progress)
    if not any(judged_candidates(one, config.pool.judged) for one in asked.questions):
        raise InvalidInput(
            f"none of {len(asked.questions)} questions has a candidate with a card",
            "a card is what the model reads of an item: without one there is nothing to judge",
        )
    with RunFolder.create(runs, config.name, run_id=run_id, at=datetime.now(UTC)) as folder:
        _say_power(config, len(asked.questions), progress)
        tokens = Budget(budget)
        with ExitStack() as open_models:
            lanes = {
                one.name: open_models.enter_context(open_lane(one, runs, tokens, progress))
                for one in config.models
            }
            run = ask_all(config, asked.questions, lanes, prompts, progress)
            contestants = contestants_of(config, asked.questions, run)
            variants = [one for one in contestants if one.kind == "variant"]
            probes, missing = probe_all(config, asked.questions, variants, lanes, prompts, progress)
        run.incomplete = run.incomplete or missing
        progress.start("compare and write down", None)
        measured = measure_all(contestants, asked.questions, config.metrics)
        record = _record(config, folder.run_id, asked, run, measured, probes, lanes, prompts)
        _write(folder.path, config, asked, contestants, measured, lanes)
        write_record(folder.path, record)
        write_report(folder.path)
        return folder.path, record


def prompt_of(variant: VariantConfig) -> PromptFor:
    """Language -> the prompt that a variant names.

    Raises:
        InvalidInput: there is no such prompt, or it judges nothing.
    """
    own = {"prompts": {"folder": str(variant.folder)}} if variant.folder else {}
    find = partial(open_prompts(read_settings(overrides=own)).find, variant.prompt)
    try:
        labels = find("en").labels
    except PromptError as error:
        raise InvalidInput(
            f"variant {variant.name!r}: {error}", "see them with: palate prompts list"
        ) from error
    if len(labels) != 2:
        raise InvalidInput(
            f"variant {variant.name!r}: {variant.prompt} has no two labels to judge with",
            "name a prompt whose output is label, such as rerank@1",
        )
    return find


@contextmanager
def open_lane(model: ModelConfig, runs: Path, budget: Budget, progress: Progress) -> Iterator[Lane]:
    """The lane to a model: found or started, with its record; only the record for a replay.

    Raises:
        ModelUnavailable: no such model runs here, or none is asked for.
        NotFound: nothing to replay.
    """
    if model.replay and model.cassette is not None:
        yield Lane(None, _opened(Cassette(model.cassette), progress), budget)
        return
    # "auto" leaves it to the settings, and so to PALATE_LLM_MODEL.
    llm: dict[str, object] = {"model": model.model} if model.model != "auto" else {}
    llm |= {"base_url": model.base_url} if model.base_url else {}
    llm |= {"port": model.port} if model.port is not None else {}
    with language_model(read_settings(overrides={"llm": llm}), progress) as found:
        if found is None:
            raise ModelUnavailable(
                f"model {model.name!r} is 'none', and a prompt run needs one",
                "name a model, or replay a cassette",
            )
        safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in found.info.model_id)
        path = model.cassette or runs / ANSWERS / f"{safe}.jsonl"
        yield Lane(found, _opened(Cassette(path, found.info), progress), budget)


def _opened(cassette: Cassette, progress: Progress) -> Cassette:
    if cassette.torn:
        progress.note(f"{cassette.path}: {cassette.torn} torn lines are left out")
    return cassette


def _say_power(config: PromptRunConfig, have: int, progress: Progress) -> None:
    power = needed_questions(config.stats, have)
    sees = "are too few to see any"
    if power.detectable is not None:
        sees = f"can see {power.detectable:.3f}"
    progress.note(
        f"{have} questions; a difference of {config.stats.detect:g} in {config.primary} takes "
        f"about {power.needed} (paired standard deviation {config.stats.sd:g}, power "
        f"{config.stats.power:g}); {have} {sees}"
    )


def _record(
    config: PromptRunConfig,
    run_id: str,
    asked: QuestionSet,
    run: AskedRun,
    measured: Mapping[str, Measured],
    probes: Mapping[str, Probes],
    lanes: Mapping[str, Lane],
    prompts: Mapping[str, PromptFor],
) -> RunRecord:
    questions = asked.questions
    comparisons = comparisons_of(config, measured, run)
    systems = []
    for name, one in measured.items():
        it = one.contestant
        test = run.tests.get(name)
        low, high = test.interval if test else (None, None)
        answers = [answer for answer in it.answers if answer is not None]
        systems.append(
            System(
                name=name,
                kind=it.kind,
                variant=it.contender.variant.name if it.contender else None,
                model=it.contender.model if it.contender else None,
                seed=it.contender.seed if it.contender else None,
                figures={metric: one.figure(metric, config.seed) for metric in config.metrics},
                coverage=one.coverage(asked.catalogue),
                strata=strata_of(one, measured[BASE], questions, config.primary, config.seed),
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
        )
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
        left_out=dict(asked.left_out) | _excluded(measured, config.primary, len(questions)),
        split={
            **config.split.model_dump(mode="json"),
            "cuts": [cut.isoformat() for cut in asked.cuts],
            "weights": asked.weights,
        },
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


def _excluded(measured: Mapping[str, Measured], primary: str, questions: int) -> dict[str, int]:
    """Questions that some system has no value for, by system and reason."""
    counts: dict[str, int] = {}
    for name, one in measured.items():
        if missing := questions - int(one.asked.sum()):
            counts[f"not asked: {name}"] = missing
        whole = sum(bool(a and a.failed_because) for a in one.contestant.answers)
        if whole:
            counts[f"call failed, S stands: {name}"] = whole
    return counts


def _write(
    folder: Path,
    config: PromptRunConfig,
    asked: QuestionSet,
    contestants: Sequence[Contestant],
    measured: Mapping[str, Measured],
    lanes: Mapping[str, Lane],
) -> None:
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
    judgements = list(_judgements(contestants, asked))
    write_judgements(folder, judgements)
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
