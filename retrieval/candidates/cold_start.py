"""The ``cold_start`` factors in closed form: what behaviour has not said yet, content says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from retrieval.candidates.estimator import Arrays
from retrieval.candidates.ials import Ials
from retrieval.candidates.item_features import ItemFeatures
from retrieval.candidates.matrix import Indices, InteractionMatrix
from retrieval.candidates.saved import saved, touched
from retrieval.candidates.validation import ValidationPairs, mean_ndcg
from retrieval.errors import InvalidInput

COLD = 5
"""An item with at most so many users is cold."""

_BLOCK = 4096
_FEW = 100  # users: below, a measured difference on cold items is noise


class ColdStart:
    """iALS whose item factors lean on text and pictures where an item has few users.

    q~_i = (n_i q^_i + kappa W phi_i) / (n_i + kappa), where n_i counts the item's users, phi_i
    are its features, q_i is its factor in iALS and q^_i = q_i (n_i + undone kappa) / n_i the
    same without the pull towards 0 that iALS has already exerted; unless that is undone, the
    few users of a cold item are discounted twice. W with its intercept is the ridge regression
    of q on phi in which an item weighs n_i / (n_i + teach): a factor learned from many says
    more (attribute-to-factor maps: Gantner et al., ICDM 2010). An item without users scores by
    content alone, one with many as in iALS, one without content as in iALS too.

    User factors are those of iALS, folded in against q: against q~ they lose more on warm items
    than the content wins. Only an item first touched after the fit speaks by its content.

    Args:
        features: of the matrix's columns; ``restore`` needs none.
        kappa: how many users the content is worth, >= 0; 0 is plain iALS.
        ridge: penalty of the regression, > 0.
        undone: share of ``kappa`` that iALS's own pull towards 0 amounts to, in [0, 1].
        teach: users at which an item has half a vote in the regression, >= 0.
        ials: the factorisation; ``None`` takes its defaults.
    """

    def __init__(
        self,
        features: ItemFeatures | None = None,
        *,
        kappa: float = 50.0,
        ridge: float = 3.0,
        undone: float = 0.4,
        teach: float = 5.0,
        ials: Ials | None = None,
    ) -> None:
        _check(kappa, ridge)
        if not (0 <= undone <= 1 and 0 <= teach < np.inf):
            raise InvalidInput(
                f"undone={undone}, teach={teach}", "undone is in [0, 1], teach >= 0 and finite"
            )
        self.features = ItemFeatures() if features is None else features
        self.kappa, self.ridge, self.undone, self.teach = kappa, ridge, undone, teach
        self.ials = Ials() if ials is None else ials
        self._counts = np.zeros(0)
        self._behaviour = np.zeros((0, self.ials.factors), dtype=np.float32)
        self._items = self._users = self._behaviour
        self._known = np.zeros(0, dtype=np.bool_)

    def fit(self, matrix: InteractionMatrix) -> Self:
        """Factorise, regress the factors on the features, and mix the two.

        Raises:
            InvalidInput: the features are of another number of items.
        """
        items = matrix.shape[1]
        self._known = self.features.described(items)
        self._counts = np.bincount(matrix.values.indices, minlength=items).astype(np.float64)
        self._known = self._known | (self._counts > 0)
        self._behaviour = self.ials.fit(matrix).arrays()["items"]
        self._users = self.ials.fold_in(matrix, self._behaviour)
        return self.mix(self.kappa, self.ridge)

    def mix(self, kappa: float, ridge: float) -> Self:
        """Serve the fitted factors with another ``kappa`` and ``ridge``; takes no new fit.

        Raises:
            InvalidInput: a number is out of range, or the model was not fitted here.
        """
        _check(kappa, ridge)
        if len(self._counts) != len(self._behaviour):
            raise InvalidInput("a restored model cannot be mixed anew", "fit it again")
        self.kappa, self.ridge = kappa, ridge
        trust = np.where(self.features.described(len(self._counts)), kappa, 0.0)
        total = np.maximum(self._counts + trust, np.finfo(np.float64).tiny)
        own = (self._counts + self.undone * trust) / total
        mixed = own[:, None] * self._behaviour + (trust / total)[:, None] * self._content()
        self._items = mixed.astype(np.float32)
        return self

    def score_users(self, user_indices: Indices) -> NDArray[np.float32]:
        """float32 of shape (len(user_indices), items); 0 without history."""
        return np.asarray(self._users[user_indices] @ self._items.T, dtype=np.float32)

    @property
    def known(self) -> NDArray[np.bool_]:
        """Items with users, a text or a picture at the fit; shape (items,)."""
        return self._known

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The item factors to score with, and those to read histories with."""
        return {"items": self._items, "behaviour": self._behaviour, "known": self._known}

    def restore(self, matrix: InteractionMatrix, arrays: Arrays) -> Self:
        """Take the item factors as learned and fold in every history as it is now."""
        shape = (matrix.shape[1], self.ials.factors)
        self._items = saved(arrays, "items", shape).astype(np.float32, copy=False)
        self._counts = np.zeros(0)
        self._behaviour = saved(arrays, "behaviour", shape).astype(np.float32, copy=False)
        self._known = saved(arrays, "known", shape[:1]).astype(np.bool_, copy=False)
        first_touched = touched(matrix) & ~self._behaviour.any(axis=1)
        telling = np.where(first_touched[:, None], self._items, self._behaviour)
        self._users = self.ials.fold_in(matrix, telling)
        return self

    def _content(self) -> NDArray[np.float64]:
        """W phi, shape (items, factors); an item that has no phi gets what it is without."""
        items = len(self._counts)
        phi = self.features.rows(items)
        votes = self._counts / np.maximum(self._counts + self.teach, np.finfo(np.float64).tiny)
        votes[~self.features.described(items)] = 0.0
        total = votes.sum()
        if total == 0:
            return np.zeros(self._behaviour.shape)
        centre, mean = votes @ phi / total, votes @ self._behaviour / total
        gram = self.ridge * np.eye(phi.shape[1])
        target = np.zeros((phi.shape[1], self.ials.factors))
        for start in range(0, items, _BLOCK):
            block = slice(start, start + _BLOCK)
            inputs = phi[block] - centre
            weighted = inputs * votes[block, None]
            gram += weighted.T @ inputs
            target += weighted.T @ (self._behaviour[block] - mean)
        weights = cho_solve(cho_factor(gram), target)
        content: NDArray[np.float64] = phi @ weights + (mean - centre @ weights)
        return content


def choose_mix(
    model: ColdStart,
    matrix: InteractionMatrix,
    pairs: ValidationPairs,
    *,
    kappas: Sequence[float] = (5.0, 20.0, 50.0, 100.0),
    ridges: Sequence[float] = (1.0, 3.0, 10.0),
) -> ColdStart:
    """Set the fitted model to the mix that is best for cold items and costs warm ones nothing.

    Allowed is every mix under which the NDCG@10 of warm positives, ranked among all items, is
    no lower than that of plain iALS. Of these the NDCG@10 of cold positives decides, ranked
    among cold items, since among all a few warm items stand before every cold one. With fewer
    than 100 users who took a cold item the mix stays the model's own, or the nearest allowed
    kappa below. Where nothing is allowed, kappa is 0.

    Args:
        model: fitted on ``matrix``.
        matrix: what the model saw.
        pairs: what users took later.
        kappas: to try.
        ridges: to try.

    Returns:
        The same model.
    """
    cold = np.bincount(matrix.values.indices, minlength=matrix.shape[1]) <= COLD
    of_warm, of_cold = pairs.only(~cold), pairs.only(cold)
    own = (model.kappa, model.ridge)
    if len(of_cold.rows) < _FEW:
        grid = [(kappa, own[1]) for kappa in sorted({own[0], *kappas}, reverse=True)]
        grid = [mix for mix in grid if mix[0] <= own[0]]
    else:
        grid = [own, *((kappa, ridge) for kappa in kappas for ridge in ridges)]
    floor = mean_ndcg(model.mix(0.0, own[1]).score_users, matrix, of_warm)
    best, chosen = -1.0, (0.0, own[1])
    for mix in grid:
        model.mix(*mix)
        if len(of_warm.rows) and mean_ndcg(model.score_users, matrix, of_warm) < floor:
            continue
        if len(of_cold.rows) < _FEW:
            chosen = mix
            break
        found = mean_ndcg(model.score_users, matrix, of_cold, among=cold)
        if found > best:
            best, chosen = found, mix
    return model.mix(*chosen)


def _check(kappa: float, ridge: float) -> None:
    if not (0 <= kappa < np.inf and 0 < ridge < np.inf):
        raise InvalidInput(
            f"kappa={kappa}, ridge={ridge}", "kappa is >= 0, ridge is positive, both are finite"
        )
