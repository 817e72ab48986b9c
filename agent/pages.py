"""The pages of one ranked list: cursors, and the lists that they go on with.

A cursor names the list, the place to go on at, and the request it belongs to. It carries a
checksum against accidents and no secret: nothing that it names is more than its bearer could
ask for anyway, and without the same request it opens nothing. So it outlives a restart, and
any process of a service can read it; where the list is no longer kept it is ranked anew.
"""

from __future__ import annotations

import base64
import binascii
import json
import pickle
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from agent.understand import Understood
from retrieval.errors import InvalidInput
from retrieval.fusion.score import FusedCandidate
from retrieval.ports import Clock
from retrieval.types import Profile, Query, Trace, content_hash

_FORMAT = 1
_HASH = 16
_CHECK = 8
_LARGEST_START = 1_000_000
_AGAIN = "leave cursor out to start at the first page"


@dataclass(frozen=True, slots=True)
class Listed:
    """A request's whole list in the order in which it is shown.

    Attributes:
        list_id: names what is in it, so that the same list is kept once; or the seed of what
            was drawn at random to make it.
        asked: the request as it was understood.
        query: fingerprint of the request as it was sent.
        profile: of the user, if one was built; not kept from page to page.
        order: best first.
        base_rank: of every item, from 1, under S.
        into: id -> near-duplicates that it stands for.
        trace: without what happens on a page.
        free: leading places that may be shuffled without breaking a rule.
    """

    list_id: str
    asked: Understood
    query: str
    profile: Profile | None
    order: tuple[FusedCandidate, ...]
    base_rank: Mapping[str, int]
    into: Mapping[str, tuple[str, ...]]
    trace: Trace
    free: int

    @property
    def ids(self) -> list[str]:
        """Of all items, best first."""
        return [one.item_id for one in self.order]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a next page begins.

    Attributes:
        list_id: of the list.
        start: places of the list that were shown, at least 1.
        query: fingerprint of the request.
        shown: fingerprint of the ids that were shown.
    """

    list_id: str
    start: int
    query: str
    shown: str

    def __str__(self) -> str:
        """URL-safe text of about 150 characters."""
        body = json.dumps([_FORMAT, self.list_id, self.start, self.query, self.shown]).encode()
        return base64.urlsafe_b64encode(_checksum(body) + body).decode().rstrip("=")


def read_cursor(text: str, query: Query) -> Cursor:
    """The cursor of a request.

    Raises:
        InvalidInput: it is not one of Palate's, was changed, or belongs to another request.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        check, body = data[:_CHECK], data[_CHECK:]
        if check != _checksum(body):
            raise ValueError("the checksum is another")
        version, list_id, start, asked, shown = json.loads(body)
        usable = version == _FORMAT and type(start) is int and 1 <= start <= _LARGEST_START
        if not usable or not all(isinstance(one, str) for one in (list_id, asked, shown)):
            raise ValueError("the fields are others")
    except (ValueError, TypeError, binascii.Error) as error:
        raise InvalidInput(f"cursor {text[:40]!r} is none of Palate's", _AGAIN) from error
    if asked != fingerprint(query):
        raise InvalidInput(
            "the cursor belongs to a request with other fields",
            f"send those of the first page (n, explain and log may change), or {_AGAIN}",
        )
    return Cursor(list_id, start, asked, shown)


def cursor_at(listed: Listed, start: int) -> Cursor:
    """The cursor of the page that begins after ``start`` places."""
    return Cursor(listed.list_id, start, listed.query, shown_hash(listed.ids[:start]))


def fingerprint(query: Query) -> str:
    """Of everything that decides the list; a page may be longer or shorter, or lack reasons."""
    bare = replace(query, n=1, explain=True, log=None, cursor="", text=query.text.strip())
    return content_hash(repr(bare))[:_HASH]


def shown_hash(item_ids: Sequence[str]) -> str:
    """Of ids in their order."""
    return content_hash(*item_ids)[:_HASH]


class KeptLists:
    """Lists by id, the least recently used out first. Safe to use from many threads.

    Each is kept as the bytes that it takes, so that the bound is one of real memory.

    Args:
        most_bytes: of all of them together; 0 keeps none.
        seconds: after its last use.
        clock: seconds that only go up.
    """

    def __init__(self, most_bytes: int, seconds: float, clock: Clock = time.monotonic) -> None:
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, listed: Listed) -> None:
        """Keep the list, unless it alone is larger than all may be."""
        if not self._most_bytes:
            return
        list_id = listed.list_id
        trace = replace(listed.trace, calls=0, tokens=0, milliseconds_by_stage={})
        packed = pickle.dumps(replace(listed, profile=None, trace=trace))
        with self._lock:
            self._drop(list_id)
            if len(packed) > self._most_bytes:
                return
            self._kept[list_id] = (self._clock() + self._seconds, packed)
            self._bytes += len(packed)
            self._make_room()

    def get(self, list_id: str) -> Listed | None:
        """The list, whose time begins anew; ``None`` when it is gone."""
        with self._lock:
            until, packed = self._kept.get(list_id, (0.0, b""))
            if not packed or until < self._clock():
                self._drop(list_id)
                return None
            self._kept[list_id] = (self._clock() + self._seconds, packed)
            self._kept.move_to_end(list_id)
        listed: Listed = pickle.loads(packed)
        return listed

    def _make_room(self) -> None:
        now = self._clock()
        while self._kept:  # in the order of last use, so also in that of expiry
            oldest, (until, _) = next(iter(self._kept.items()))
            if self._bytes <= self._most_bytes and until >= now:
                return
            self._drop(oldest)

    def _drop(self, list_id: str) -> None:
        self._bytes -= len(self._kept.pop(list_id, (0.0, b""))[1])


def _checksum(body: bytes) -> bytes:
    return bytes.fromhex(content_hash("cursor", body.decode("utf-8", "replace")))[:_CHECK]
