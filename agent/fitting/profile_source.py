"""The ``profile`` source for a fit: profiles as they stood at the cut, to be weighed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from agent.fitting.fit import Extra
from agent.fitting.labels import LabelledUser, TemporalSplit
from agent.fitting.past_profiles import past_profiles
from agent.fitting.readers import possible_readers, reader_of
from agent.prompting import open_prompts
from agent.stores import Stores
from retrieval.candidates.estimator import Estimator
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.candidates.profile_match import ProfileMatch
from retrieval.ports import Progress

MOST_USERS = 500
"""Labelled users whose profile is made again; for the others the source is silent in a fit.

Embedding a text takes tens of milliseconds, and so many tell what the source is worth.
"""


def profiles_at_cut(stores: Stores, progress: Progress, seed: int) -> Extra | None:
    """Makes the source for a fit; ``None`` where no profile was built, so none is served.

    Args:
        stores: of the home folder; nothing is written.
        progress: sees stages.
        seed: of the sample of users.
    """
    if not stores.has_vectors:
        return None

    def at_cut(
        split: TemporalSplit, matrix: InteractionMatrix, users: Sequence[LabelledUser]
    ) -> Mapping[str, Estimator]:
        if split.cut is None or not users:
            return {}
        chosen = np.random.default_rng(seed).permutation(len(users))[:MOST_USERS]
        ids = [users[at].user_id for at in np.sort(chosen).tolist()]
        prompts = open_prompts(stores.settings)
        own = stores.settings.profiles
        past = past_profiles(
            catalog=stores.catalog,
            event_log=stores.event_log,
            profiles=stores.profiles,
            embedder=stores.embedder,
            prompts=prompts,
            model_id=reader_of(
                stores.profiles,
                stores.event_log,
                prompts,
                possible_readers(stores.settings),
                progress,
            ),
            as_of=split.cut,
            item_ids=matrix.item_ids,
            user_ids=ids,
            progress=progress,
            tau_days=own.tau_days,
            max_rows=own.max_rows,
            max_texts=own.max_texts,
        )
        return {"profile": ProfileMatch(past.users, past.items, ids).fit(matrix)}

    return at_cut
