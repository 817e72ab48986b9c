"""Several comparisons at once: the more are tried, the sooner one looks good by chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from statsmodels.stats.multitest import multipletests

from eval.stats.paired import Comparison


def with_holm(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The same comparisons, in order, with ``p_holm`` for all of them as one family.

    Calling those with ``p_holm`` <= alpha different is wrong about any one of them with
    probability alpha at most, however they depend on each other; Holm (1979), "A Simple
    Sequentially Rejective Multiple Test Procedure", Scand. J. Stat. 6.

    Args:
        comparisons: everything that was tried in order to find something better: all variants
            against one baseline, in the primary metric. A comparison without a p (NaN) was
            not tested: it keeps NaN and does not count.

    Returns:
        ``p_holm`` >= ``p``, in the order of ``p``, at most 1; an empty family stays empty.
    """
    tested = [at for at, one in enumerate(comparisons) if not math.isnan(one.p)]
    adjusted = np.full(len(comparisons), math.nan)
    if tested:
        p = np.array([comparisons[at].p for at in tested])
        adjusted[tested] = multipletests(p, method="holm")[1]
    return [
        replace(one, p_holm=float(p_holm))
        for one, p_holm in zip(comparisons, adjusted, strict=True)
    ]
