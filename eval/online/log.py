"""Logged requests joined with what their users took afterwards."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from agent.pseudonyms import KEY_FILE, is_pseudonym, read_pseudonyms
from agent.settings import Settings
from agent.stores import open_stores
from retrieval.errors import InvalidInput, NotFound
from retrieval.types import Interaction, LoggedRequest

TAKEN = ("click", "cart", "purchase", "like")
"""Kinds of interaction that count as taking an item. Views, ratings and dislikes do not."""

_REMEMBERED_NAMES = 100_000


@dataclass(frozen=True, slots=True)
class Exposure:
    """One logged request and the shown items that its user took within the window after it."""

    request: LoggedRequest
    taken: frozenset[str] = frozenset()


def read_log(
    settings: Settings, *, experiment: str | None = None, kinds: Sequence[str] = TAKEN
) -> list[Exposure]:
    """Every logged request of a home with its outcomes, in order of time.

    Args:
        settings: ``store`` says where, ``log.window_hours`` how long an outcome counts.
        experiment: only requests of this one; ``None`` for all.
        kinds: interactions that count.

    Raises:
        NotFound: there is no such home.
        InvalidInput: users are logged under pseudonyms whose key is gone.
        StoreError: the database cannot be read.
    """
    home = settings.store.home
    if not settings.store.database_url and not (home / "palate.sqlite3").is_file():
        raise NotFound(f"{home} is no home of Palate", "give the folder that `palate serve` uses")
    with open_stores(settings) as stores:
        requests = list(stores.request_log.requests(experiment))
        users = {request.user_id for request in requests if request.user_id is not None}
        pseudonyms = None
        if any(map(is_pseudonym, users)):
            pseudonyms = read_pseudonyms(home)
            if pseudonyms is None:
                raise InvalidInput(
                    f"{home / KEY_FILE} is missing: nobody can tell which users were logged",
                    "restore it from a backup; without it the log is anonymous",
                )
        name = lru_cache(_REMEMBERED_NAMES)(pseudonyms.of) if pseudonyms is not None else None
        return join(
            requests,
            (one for one in stores.event_log.interactions() if one.kind in kinds),
            window=timedelta(hours=settings.log.window_hours),
            name=name,
        )


def join(
    requests: Iterable[LoggedRequest],
    interactions: Iterable[Interaction],
    *,
    window: timedelta,
    name: Callable[[str], str] | None = None,
) -> list[Exposure]:
    """Who took what they were shown.

    What was taken counts once: for the latest request of the user before it that showed the
    item, if that is within the window. Shops often log whole seconds, so an interaction in
    the very second of the request counts as after it.

    Args:
        requests: in any order.
        interactions: those that count, in any order.
        window: how long after the request.
        name: a user's pseudonym; ``None`` when ids were logged as they are.

    Returns:
        One exposure a request, in order of time.
    """
    ordered = sorted(requests, key=lambda one: (one.at, one.request_id))
    shown: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, request in enumerate(ordered):
        if request.user_id is not None:
            for item in request.shown:
                shown[request.user_id, item.item_id].append(number)
    starts = [request.at.replace(microsecond=0) for request in ordered]
    taken: dict[int, set[str]] = defaultdict(set)
    for one in interactions:
        for user_id in (one.user_id, name(one.user_id) if name is not None else None):
            numbers = shown.get((user_id, one.item_id)) if user_id is not None else None
            if not numbers:
                continue
            before = bisect_right(numbers, one.at, key=lambda number: starts[number])
            if before and one.at - ordered[numbers[before - 1]].at <= window:
                taken[numbers[before - 1]].add(one.item_id)
    return [Exposure(one, frozenset(taken.get(at, ()))) for at, one in enumerate(ordered)]
