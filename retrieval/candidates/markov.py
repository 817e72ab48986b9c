"""What people take next: transitions between items in the order of the histories."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from retrieval.candidates.estimator import Arrays
from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.candidates.neighbours import keep_best
from retrieval.candidates.saved import Table, saved, saved_table, table_arrays, touched
from retrieval.candidates.sequence import recent, steps_back
from retrieval.errors import InvalidInput

_BLOCK = 512


class Markov:
    """Score of an item = how often it follows the user's latest items, relative to both's users.

    Two items d steps apart in a history count decay^(d-1) from the earlier to the later;
    items of the same instant have no order and count half each way. A transition's weight is
    its count / (sqrt(n_i n_j) + shrinkage), n the item's squared weights summed over users, as
    in a cosine. The plain chain over the last item is that of Rendle et al., WWW 2010; the
    window and the decay are those of sequential rules (Ludewig and Jannach, UMUAI 2018).

    Args:
        window: steps between two items that still count, >= 1.
        decay: of a transition, for each further step; in (0, 1].
        shrinkage: damps transitions that few users made, >= 0.
        last: of the user's latest steps count, >= 1.
        fade: what one step back in the user's history leaves of an item's say; in (0, 1].
        k: transitions kept from each item, plus those exactly as strong as the k-th.
    """

    def __init__(
        self,
        window: int = 10,
        decay: float = 0.9,
        shrinkage: float = 100.0,
        last: int = 20,
        fade: float = 0.9,
        k: int = 200,
    ) -> None:
        if not (
            min(window, last, k) >= 1
            and 0 < decay <= 1
            and 0 < fade <= 1
            and 0 <= shrinkage < float("inf")
        ):
            raise InvalidInput(
                f"window={window}, last={last}, k={k}, decay={decay}, fade={fade}, "
                f"shrinkage={shrinkage}",
                "counts are >= 1, decay and fade are in (0, 1] and shrinkage >= 0",
            )
        self.window, self.decay, self.shrinkage = window, decay, shrinkage
        self.last, self.fade, self.k = last, fade, k
        self._known = np.zeros(0, dtype=np.bool_)
        self._users: csr_array[np.float64, tuple[int, int]] | None = None
        self._next: Table | None = None

    def fit(self, matrix: InteractionMatrix) -> Self:
        """Count transitions; blocks of items keep memory at block x items."""
        items = matrix.shape[1]
        instants, later = self._instants(matrix)
        by_item = instants.T.tocsr()
        squares = np.asarray(
            matrix.values.astype(np.float64).power(2).sum(axis=0), dtype=np.float64
        )
        blocks = [csr_array((0, items), dtype=np.float64)]
        for start in range(0, items, _BLOCK):
            counts = (by_item[start : start + _BLOCK] @ later).tocoo()
            source, target = counts.coords[0] + start, counts.coords[1]
            scale = np.sqrt(squares[source] * squares[target]) + self.shrinkage
            weight = np.where(source == target, 0.0, counts.data / scale)
            block = csr_array((weight, (source - start, target)), shape=counts.shape)
            blocks.append(keep_best(block, self.k))
        self._next = vstack(blocks, format="csr").astype(np.float32)
        self._known = touched(matrix)
        self._users = recent(matrix, fade=self.fade, last=self.last)
        return self

    def score_users(self, user_indices: Indices) -> NDArray[np.float32]:
        """float32 of shape (len(user_indices), items); 0 where nothing led from the history."""
        if self._users is None or self._next is None:
            raise InvalidInput("Markov was not fitted", "call fit(matrix) first")
        return np.asarray((self._users[user_indices] @ self._next).toarray(), np.float32)

    @property
    def known(self) -> NDArray[np.bool_]:
        """The items touched at the fit; shape (items,)."""
        return self._known

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The transitions, sparse."""
        if self._next is None:
            raise InvalidInput("Markov was not fitted", "call fit(matrix) first")
        return {"known": self._known, **table_arrays(self._next)}

    def restore(self, matrix: InteractionMatrix, arrays: Arrays) -> Self:
        """Take the transitions as learned and the histories as they are now."""
        items = matrix.shape[1]
        self._next = saved_table(arrays, items)
        self._known = saved(arrays, "known", (items,)).astype(np.bool_, copy=False)
        self._users = recent(matrix, fade=self.fade, last=self.last)
        return self

    def _instants(
        self, matrix: InteractionMatrix
    ) -> tuple[csr_array[np.float64, tuple[int, int]], csr_array[np.float64, tuple[int, int]]]:
        """A row for each instant of each user: what was touched then, and what came within reach.

        The second is the decayed sum of the rows of the user's next ``window`` instants, plus
        half of the row itself.
        """
        steps = steps_back(matrix)
        users = matrix.shape[0]
        lengths = np.zeros(users, dtype=np.int64)
        user = np.repeat(np.arange(users), np.diff(matrix.values.indptr))
        np.maximum.at(lengths, user, steps + 1)
        starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])
        count = int(starts[-1])
        # Newest first within a user, so the instant d steps later stands d rows above.
        instants = csr_array(
            (matrix.values.data.astype(np.float64), (starts[user] + steps, matrix.values.indices)),
            shape=(count, matrix.shape[1]),
        )
        place = np.arange(count) - np.repeat(starts[:-1], lengths)
        reach = [(0.5, np.arange(count), np.arange(count))]
        for distance in range(1, self.window + 1):
            earlier = np.flatnonzero(place >= distance)
            reach.append((self.decay ** (distance - 1), earlier, earlier - distance))
        shift = csr_array(
            (
                np.concatenate([np.full(len(rows), weight) for weight, rows, _ in reach]),
                (
                    np.concatenate([rows for _, rows, _ in reach]),
                    np.concatenate([columns for _, _, columns in reach]),
                ),
            ),
            shape=(count, count),
        )
        return instants, (shift @ instants).tocsr()
