"""Take what was logged of somebody back."""

from __future__ import annotations

from agent.pseudonyms import read_pseudonyms
from agent.stores import Stores


def erase_requests(stores: Stores, user_id: str) -> int:
    """Forget every logged request of a user, under the id and under its pseudonym.

    Works whether or not requests are kept today.

    Returns:
        How many there were.

    Raises:
        InvalidInput: the key file cannot be read.
        StoreError: the database refuses.
    """
    pseudonyms = read_pseudonyms(stores.settings.store.home)
    names = [user_id] if pseudonyms is None else [user_id, pseudonyms.of(user_id)]
    return stores.request_log.erase(names)
