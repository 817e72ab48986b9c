"""One file from a model hub over HTTP, continued where an earlier download stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from agent.models.registry import HubSource
from retrieval.errors import ModelUnavailable

DEFAULT_HUB = "https://huggingface.co"
CHUNK = 1 << 20
TIMEOUT = httpx.Timeout(60.0, connect=10.0)


def hub_is_off(environ: Mapping[str, str] | None = None) -> bool:
    """Whether ``HF_HUB_OFFLINE`` forbids asking a hub."""
    environ = os.environ if environ is None else environ
    return environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}


def download(source: HubSource, partial: Path, grown: Callable[[int], None]) -> None:
    """Append to ``partial`` what it lacks of the hub's file.

    Args:
        source: where the file is.
        partial: what is there already is kept and continued with a range request; a hub that
            ignores the range sends the whole file and ``partial`` starts over.
        grown: called with the bytes gained (negative when starting over).

    Raises:
        ModelUnavailable: the hub cannot be reached or has no such file.
    """
    hub = os.environ.get("HF_ENDPOINT", DEFAULT_HUB).rstrip("/")
    url = f"{hub}/{source.repo}/resolve/{source.revision}/{source.path}"
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    try:
        with httpx.stream(
            "GET", url, headers=headers, timeout=TIMEOUT, follow_redirects=True
        ) as answer:
            if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return  # all of it is here already; the digest decides
            if answer.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
                raise ModelUnavailable(f"{url} answers {answer.status_code}")
            continued = answer.status_code == httpx.codes.PARTIAL_CONTENT
            if have and not continued:
                grown(-have)
            with partial.open("ab" if continued else "wb") as file:
                for chunk in answer.iter_bytes(CHUNK):
                    file.write(chunk)
                    grown(len(chunk))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ModelUnavailable(f"{url}: {type(error).__name__}: {error}") from error
