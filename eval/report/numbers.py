"""Numbers as a reader wants them. What is missing is "–", never 0."""

from __future__ import annotations

import math
from typing import Any

MISSING = "–"


def known(value: Any) -> float | None:
    """The number, or ``None`` for null, NaN, the infinities and what is no number at all."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def number(value: Any, digits: int = 3) -> str:
    """Fixed digits and a real minus sign."""
    return _shown(value, f"z.{digits}f")


def signed(value: Any, digits: int = 3) -> str:
    """A difference: always with its sign, except that what rounds to zero has none."""
    found = known(value)
    if found is not None and round(found, digits) == 0:
        return number(0.0, digits)
    return _shown(value, f"+.{digits}f")


def whole(value: Any) -> str:
    """A count, with a thin space between thousands."""
    return _shown(value, "z,.0f").replace(",", "\N{NARROW NO-BREAK SPACE}")


def plain(value: Any) -> str:
    """A count without a fraction, another number in up to four significant digits."""
    found = known(value)
    return whole(found) if found is not None and found == int(found) else _shown(value, "z.4g")


def p_value(value: Any) -> str:
    """Three digits, and "< 0.001" below them."""
    found = known(value)
    return "< 0.001" if found is not None and found < 0.001 else number(found)


def share(value: Any) -> str:
    """0.8 as "80 %"."""
    found = known(value)
    return MISSING if found is None else f"{_shown(100 * found, 'z.3g')} %"


def interval(low: Any, high: Any, *, sign: bool = False) -> str:
    """``[low, high]``, or "–" when an end is missing."""
    if known(low) is None or known(high) is None:
        return MISSING
    form = signed if sign else number
    return f"[{form(low)}, {form(high)}]"


def _shown(value: Any, form: str) -> str:
    """``z``: what rounds to zero has no minus sign."""
    found = known(value)
    return MISSING if found is None else format(found, form).replace("-", "−")
