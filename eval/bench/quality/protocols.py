"""Who learns from what and who is asked what: T1, T2 and T3 of a protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from agent.fitting.labels import LabelledUser
from eval.bench.quality.datasets import BenchData
from eval.splits import Split, global_temporal, leave_last_out
from retrieval.candidates.cold_start import COLD
from retrieval.candidates.matrix import InteractionMatrix
from retrieval.candidates.validation import ValidationPairs
from retrieval.errors import InvalidInput
from retrieval.types import Interaction

Protocol = Literal["temporal", "leave-last-out"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)


@dataclass(frozen=True, eq=False)
class Asked:
    """What sources are fitted on, and the users who are asked about afterwards.

    Attributes:
        matrix: the past.
        users: ids, in id order; every one is a row of the matrix.
        relevant: of each, the ids to find, in id order; never empty.
    """

    matrix: InteractionMatrix
    users: tuple[str, ...]
    relevant: tuple[tuple[str, ...], ...]

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the users; shape (users,)."""
        return np.array([self.matrix.user_index[user] for user in self.users], dtype=np.int64)

    @cached_property
    def columns(self) -> tuple[NDArray[np.int64], ...]:
        """Columns of the relevant items that are new to the user, ascending."""
        index = self.matrix.item_index
        return tuple(
            np.setdiff1d(
                np.array([index[one] for one in wanted if one in index], dtype=np.int64),
                self.matrix.items_of(row),
            )
            for row, wanted in zip(self.rows.tolist(), self.relevant, strict=True)
        )

    @cached_property
    def history(self) -> NDArray[np.int64]:
        """Items that each user had; shape (users,)."""
        return np.asarray(np.diff(self.matrix.values.indptr)[self.rows], dtype=np.int64)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Users of each item in the past; shape (items,)."""
        return np.bincount(self.matrix.values.indices, minlength=self.matrix.shape[1])

    @property
    def cold(self) -> NDArray[np.bool_]:
        """Items with at most ``COLD`` users; shape (items,)."""
        return np.asarray(self.counts <= COLD)

    def labelled(self) -> list[LabelledUser]:
        """The users as fitting knows them."""
        ids = self.matrix.item_ids
        return [
            LabelledUser(
                user,
                frozenset(ids[at] for at in self.matrix.items_of(row).tolist()),
                frozenset(wanted),
            )
            for user, row, wanted in zip(self.users, self.rows.tolist(), self.relevant, strict=True)
        ]

    def pairs(self) -> ValidationPairs:
        """What settings are chosen by."""
        some = [at for at, columns in enumerate(self.columns) if len(columns)]
        return ValidationPairs(self.rows[some], [self.columns[at] for at in some])


@dataclass(frozen=True, eq=False)
class Periods:
    """The log cut twice.

    Attributes:
        learn: T1 with labels of T2.
        test: T1 and T2 with the questions of T3.
        past: the events of T1, in their order.
        recent: those of T2.
    """

    learn: Asked
    test: Asked
    past: Sequence[Interaction]
    recent: Sequence[Interaction]


def periods(data: BenchData, protocol: str, *, labels: int, seed: int = 0) -> Periods:
    """Cut the log twice by the same rule.

    Temporal: the newest fifth is T3, the newest fifth of the rest is T2. Leave-last-out: a
    user's last item is T3, the last but one T2; where the data set holds items back itself,
    these are T3 and the last one is T2.

    Args:
        data: the log.
        protocol: one of ``PROTOCOLS``.
        labels: at most so many users of T2, a seeded sample.
        seed: of the sample.

    Raises:
        InvalidInput: an unknown protocol, a temporal one without dates, or nobody to ask.
    """
    if protocol not in PROTOCOLS:
        raise InvalidInput(f"no protocol is named {protocol!r}", f"one of {', '.join(PROTOCOLS)}")
    log = data.interactions
    if protocol == "temporal":
        if not data.dated:
            raise InvalidInput(
                f"{data.name} has an order and no dates", "use the protocol leave-last-out"
            )
        outer = global_temporal(log)
        inner = global_temporal(outer.train)
    else:
        outer = leave_last_out(log)
        if data.held:
            found = {user: frozenset({item}) for user, item in data.held.items()}
            outer = Split(log, found, None, {})
        inner = leave_last_out(outer.train)
    learn = _asked(data, inner.train, inner.relevant)
    test = _asked(data, outer.train, outer.relevant)
    for period, asked in (("T2", learn), ("T3", test)):
        if not asked.users:
            raise InvalidInput(
                f"{data.name}, {protocol}: nobody is left to ask in {period}", "take a longer log"
            )
    past = {id(one) for one in inner.train}
    recent = [one for one in outer.train if id(one) not in past]
    return Periods(_sample(learn, labels, seed), test, inner.train, recent)


def _asked(
    data: BenchData, train: Sequence[Interaction], relevant: Mapping[str, frozenset[str]]
) -> Asked:
    matrix = InteractionMatrix.from_interactions(train, item_ids=data.catalogue)
    users = tuple(sorted(user for user in relevant if user in matrix.user_index))
    return Asked(matrix, users, tuple(tuple(sorted(relevant[user])) for user in users))


def _sample(asked: Asked, most: int, seed: int) -> Asked:
    if len(asked.users) <= most:
        return asked
    chosen = np.sort(np.random.default_rng(seed).permutation(len(asked.users))[:most]).tolist()
    return Asked(
        asked.matrix,
        tuple(asked.users[at] for at in chosen),
        tuple(asked.relevant[at] for at in chosen),
    )
