"""Who asks, and whether the request can be answered at all."""

from __future__ import annotations

from collections.abc import Mapping

from retrieval.errors import InvalidInput, NotFound
from retrieval.ports import Catalog, EventLog
from retrieval.rules.rules import Asker
from retrieval.types import AttributeValue, Query

MAX_REGION = 100
MAX_AGE = 150


def asker_of(query: Query, catalog: Catalog, event_log: EventLog, max_n: int) -> Asker:
    """What rules may go by: the request's own fields, else the user's attributes.

    Raises:
        InvalidInput: n, region, age or diversity out of range.
        NotFound: the user is unknown.
    """
    if isinstance(query.n, bool) or not 1 <= query.n <= max_n:
        raise InvalidInput(f"n = {query.n}", f"n is a whole number from 1 to {max_n}")
    if len(query.region) > MAX_REGION:
        raise InvalidInput(f"region = {query.region[:20]!r}…", f"at most {MAX_REGION} characters")
    if query.age is not None and not 0 <= query.age <= MAX_AGE:
        raise InvalidInput(f"age = {query.age}", f"years, from 0 to {MAX_AGE}")
    if query.diversity is not None and not 0 <= query.diversity <= 1:
        raise InvalidInput(f"diversity = {query.diversity}", "from 0, the ranked order, to 1")
    return Asker(query.text, query.region, query.age, _attributes(query, catalog, event_log))


def _attributes(
    query: Query, catalog: Catalog, event_log: EventLog
) -> Mapping[str, AttributeValue]:
    if query.user_id is None:
        return {}
    try:
        return catalog.user(query.user_id).attributes
    except NotFound as error:
        if not event_log.seen(query.user_id):
            raise NotFound(error.message, "leave user_id out to ask as a stranger") from error
        return {}
