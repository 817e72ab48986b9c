"""Who may ask: bearer keys, and a closed door where there are none."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence

from flask import Flask, Response, g, request

from agent.settings import ServerSettings
from retrieval.errors import InvalidInput
from server.envelope import envelope

OPEN_BLUEPRINTS = frozenset({"health", "page", "openapi", "scalar"})
_KEY_HINT = "send 'Authorization: Bearer KEY' with a key of server.api_keys"


def is_loopback(host: str) -> bool:
    """Whether ``host`` (a name or an address, no port) can only mean this machine."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def require_closed_door(server: ServerSettings) -> None:
    """Refuse to listen where others can reach while nobody needs a key.

    Raises:
        InvalidInput: the host is not loopback and no key is configured.
    """
    if not server.api_keys and not is_loopback(server.host):
        raise InvalidInput(
            f"server.host = {server.host!r} can be reached from other machines and no key is set",
            "set PALATE_SERVER_API_KEYS=KEY[,KEY…], or listen on 127.0.0.1",
        )


def known_key(header: str, keys: Sequence[str]) -> bool:
    """Whether an ``Authorization`` header carries one of ``keys``; in constant time per key."""
    scheme, _, given = header.partition(" ")
    presented = given.strip().encode("utf-8", "surrogatepass")
    matches = [hmac.compare_digest(presented, key.encode("utf-8")) for key in keys]
    return scheme.lower() == "bearer" and any(matches)


def install(app: Flask, server: ServerSettings) -> None:
    """Ask for a key on every route that can tell or change anything.

    Without keys only this machine can connect, and the ``Host`` header must say so too:
    otherwise a web page could reach the service through a name it points at 127.0.0.1.
    Whether the caller showed a key (or needs none) is in ``flask.g.trusted``.
    """

    @app.before_request
    def _check() -> Response | None:
        if server.api_keys:
            g.trusted = known_key(request.headers.get("Authorization", ""), server.api_keys)
        else:
            g.trusted = is_loopback(_host_without_port(request.host))
        if g.trusted or request.blueprint in OPEN_BLUEPRINTS:
            return None
        if server.api_keys:
            return envelope(401, "unauthorized", "this route needs a valid key", _KEY_HINT)
        return envelope(
            403,
            "forbidden",
            "without keys this service answers to 127.0.0.1 and localhost only",
            "set server.api_keys to use it under another name",
        )


def _host_without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
