"""User ids as keyed hashes: the log alone says nobody's name, the home can still find them.

Whoever holds the key can tell whether a given user is in the log, and that is needed: to join
a request with what the user took afterwards, and to erase the user. Deleting the key makes
what was logged anonymous, for good.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from retrieval.errors import InvalidInput

KEY_FILE = "log.key"
_PREFIX = "~"
_KEY_BYTES = 32


class Pseudonyms:
    """Names users after a key. The same key and user always give the same pseudonym."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, user_id: str) -> str:
        """``~`` and 32 hex digits of HMAC-SHA-256."""
        data = user_id.encode("utf-8", "surrogatepass")
        return _PREFIX + hmac.new(self._key, data, hashlib.sha256).hexdigest()[:32]


def is_pseudonym(user_id: str) -> bool:
    """Whether a logged id has the form of a pseudonym."""
    digits = user_id.removeprefix(_PREFIX)
    return user_id != digits and len(digits) == 32 and set(digits) <= set("0123456789abcdef")


def read_pseudonyms(home: Path) -> Pseudonyms | None:
    """With the key of this home; ``None`` when none was ever made.

    Raises:
        InvalidInput: the key file cannot be read or holds no key.
    """
    path = home / KEY_FILE
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} is no key: {error}", "restore it from a backup") from error
    if len(key) != _KEY_BYTES:
        raise InvalidInput(f"{path} holds {len(key)} bytes", f"a key has {_KEY_BYTES}")
    return Pseudonyms(key)


def open_pseudonyms(home: Path) -> Pseudonyms:
    """With the key of this home, made on first use; only its owner may read the file.

    Raises:
        InvalidInput: the key cannot be read or written.
    """
    found = read_pseudonyms(home)
    if found is not None:
        return found
    path = home / KEY_FILE
    partial = home / f"{KEY_FILE}.{os.getpid()}.{secrets.token_hex(4)}"
    try:
        handle = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_KEY_BYTES))
        try:
            os.link(partial, path)  # unlike a rename, it never replaces another process's key
        except FileExistsError:
            pass
        finally:
            partial.unlink()
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be written: {error.strerror}", "or set log.pseudonyms = false"
        ) from error
    made = read_pseudonyms(home)
    if made is None:
        raise InvalidInput(f"{path} was deleted while it was made", "try again")
    return made
