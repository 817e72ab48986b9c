"""One fit of a home folder: vectors, weights, certificate, models, saved in that order."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.fitting.certificate import Certificate
from agent.fitting.features import item_features
from agent.fitting.fit import MAX_USERS, SHARE_AFTER, fit_all, learn_fusion
from agent.fitting.live import weighing
from agent.fitting.llm_gate import Judging, with_llm
from agent.fitting.model_files import ModelSet, save_models
from agent.fitting.profile_source import profiles_at_cut
from agent.fusion_file import save_fit
from agent.stores import Stores
from retrieval.candidates.history import history_matrix
from retrieval.candidates.line_up import HISTORY_SOURCES, line_up
from retrieval.ports import Progress


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a fit left in the home folder; ``page`` is the certificate to look at."""

    certificate: Certificate
    page: Path
    models: ModelSet


def fit_home(
    stores: Stores,
    progress: Progress,
    *,
    max_users: int = MAX_USERS,
    share_after: float = SHARE_AFTER,
    pictures: Path | None = None,
    judging: Judging | None = None,
    threads: int = 1,
    seed: int = 0,
) -> Fitted:
    """Learn, certify and save; a running service takes the new fit up by itself.

    Models are saved before the weights that call for them, so a fit that is cut off leaves the
    former one in use.

    Args:
        stores: of the home folder.
        progress: sees every stage.
        max_users: labelled users at most.
        share_after: of the events, which become labels.
        pictures: folder that the items' media are relative to; ``None`` = no pictures.
        judging: asks a language model, so that its gate is certified too; ``None`` = no.
        threads: of the solvers.
        seed: of everything that is drawn.

    Raises:
        InvalidInput: there is no interaction to learn from.
        StoreError: the home folder cannot be written.
    """
    settings = stores.settings.retrieval
    progress.start("reading the event log", None)
    items = list(stores.catalog.items())
    item_ids = [item.item_id for item in items]
    events = list(stores.event_log.interactions())
    data_hash = stores.database.data_hash()
    vectors = item_features(stores, items, pictures=pictures, progress=progress)
    learnt = learn_fusion(
        events,
        item_ids,
        data_hash=data_hash,
        progress=progress,
        features=vectors.features,
        extra=profiles_at_cut(stores, progress, seed),
        ease_max_items=settings.ease_max_items,
        per_source=settings.pool_per_source,
        max_users=max_users,
        share_after=share_after,
        threads=threads,
        seed=seed,
    )
    certificate = learnt.certificate
    if judging is not None:
        by_id = {item.item_id: item for item in items}
        certificate = with_llm(learnt, by_id, judging, progress)
    wanted = weighing(certificate.weights) | {"popular"}
    estimators = line_up(
        vectors.features,
        items=len(items),
        ease_max_items=settings.ease_max_items,
        without=[name for name in HISTORY_SOURCES if name not in wanted],
        threads=threads,
        seed=seed,
        progress=progress,
    )
    seconds = fit_all(estimators, history_matrix(events, item_ids), progress, "on everything")
    models = save_models(
        stores.settings.store.home,
        estimators,
        item_ids=item_ids,
        data_hash=data_hash,
        features_id=vectors.features_id,
        fit_seconds=seconds,
    )
    page = save_fit(certificate, stores.settings.store.home)
    return Fitted(certificate, page, models)
