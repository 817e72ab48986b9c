"""What every model of behaviour promises: fit, score rows, be saved, go on with newer events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from retrieval.candidates.matrix import Indices, InteractionMatrix

Arrays = Mapping[str, NDArray[Any]]


class Estimator(Protocol):
    """A model of behaviour in batch form.

    ``fit`` and ``restore`` change the estimator and return it. An empty matrix is no error:
    a model that reads histories then gives scores of 0.
    """

    def fit(self, matrix: InteractionMatrix) -> Self:
        """Learn from the matrix."""

    def score_users(self, user_indices: Indices) -> NDArray[np.float32]:
        """Scores of every item for some rows of the matrix; shape (rows, items), finite.

        A row of zeros says nothing of anything. The rows are those of the matrix that the
        estimator was fitted on or restored with.

        Raises:
            InvalidInput: neither has happened yet.
        """

    @property
    def known(self) -> NDArray[np.bool_]:
        """Items that the scores mean something for; shape (items,).

        A model of who touched what knows the items touched at its fit, a model of contents
        those with a content. The score of any other item is no judgement.
        """

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that was learned and the matrix does not hold, to be saved; not to be changed.

        Plain arrays without objects. Empty for a model that only looks things up.
        """

    def restore(self, matrix: InteractionMatrix, arrays: Arrays) -> Self:
        """Go on from what was learned, with users and histories as they are now.

        An estimator with the same settings is asked. What users did since the fit is taken
        in where the method can; a user whom it cannot know scores 0 everywhere.

        Args:
            matrix: the same columns as at the fit; any rows.
            arrays: of ``arrays``, saved and loaded.

        Raises:
            InvalidInput: the arrays are of another model or of other columns.
        """
