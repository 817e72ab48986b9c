"""A prompt run from config to record: load, ask, rank, probe, compare, decide, write down."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from eval.answers.judge import judged_candidates
from eval.answers.lane import Budget
from eval.answers.opened import open_lane, prompt_of
from eval.load import load_questions
from eval.prompt_config import PromptRunConfig
from eval.records.folder import RunFolder
from eval.records.record import RunRecord, write_record
from eval.report.write import write_report
from eval.runs.ask import ask_all
from eval.runs.contestants import contestants_of
from eval.runs.decide import needed_questions
from eval.runs.measured import measure_all
from eval.runs.probe import probe_all
from eval.runs.written import record_of, write_tables
from retrieval.errors import InvalidInput
from retrieval.ports import Progress


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
        record = record_of(config, folder.run_id, asked, run, measured, probes, lanes, prompts)
        write_tables(folder.path, config, asked, contestants, measured, lanes)
        write_record(folder.path, record)
        write_report(folder.path)
        return folder.path, record


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
