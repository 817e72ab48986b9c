"""The HTTP server under the app: one socket, worker threads, a clean stop."""

from __future__ import annotations

import errno
import json
import signal
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask

from agent.settings import ServerSettings
from retrieval.errors import InvalidInput

MEBIBYTE = 1024 * 1024


class EnvelopeErrorTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """Answers what never reaches the app (broken HTTP, far too large) with the same envelope."""

    def execute(self) -> None:
        """Called by a worker thread."""
        error = self.request.error
        too_large = error.code in (413, 431)
        detail = {
            "code": "too_large" if too_large else "invalid_input",
            "message": f"{error.reason}: {error.body}",
            "hint": "send smaller batches" if too_large else "send valid HTTP/1.1",
            "request_id": uuid.uuid4().hex,
        }
        if error.code >= 500:
            detail |= {"code": "internal", "message": error.reason, "hint": "see the server's log"}
        body = json.dumps({"error": detail}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", "application/json"))
        self.response_headers.append(("X-Request-Id", detail["request_id"]))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    error_task_class = EnvelopeErrorTask


@contextmanager
def bound_socket(host: str, port: int) -> Iterator[socket.socket]:
    """A TCP socket bound to the address, not listening yet; closed at exit.

    Binding before the slow work starts means that a busy port is reported at once.

    Raises:
        InvalidInput: the host does not exist here, or the port is taken or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except (OSError, ValueError) as error:  # ValueError: no name can look like that
        reason = getattr(error, "strerror", None) or error
        raise InvalidInput(
            f"cannot listen on {host!r}: {reason}", "try --host 127.0.0.1"
        ) from error
    with bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(address)
        except OSError as error:
            raise _cannot_bind(host, port, error) from error
        yield bound


def _cannot_bind(host: str, port: int, error: OSError) -> InvalidInput:
    if error.errno == errno.EADDRINUSE:
        return InvalidInput(
            f"port {port} on {host} is in use", "stop what listens there, or give another --port"
        )
    if error.errno == errno.EACCES:
        return InvalidInput(f"port {port} may not be used by this user", "give a --port over 1023")
    return InvalidInput(f"cannot listen on {host}:{port}: {error.strerror}", "check --host")


def url_of(bound: socket.socket) -> str:
    """Where a browser on this machine finds it."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve_until_stopped(app: Flask, bound: socket.socket, settings: ServerSettings) -> None:
    """Answer requests until Ctrl-C or SIGTERM; running requests get seconds to finish."""
    server: Any = create_server(
        app,
        sockets=[bound],
        threads=settings.threads,
        ident="palate",
        # Bodies over the app's own limit still reach the app, which answers properly;
        # far beyond it waitress hangs up before reading them.
        max_request_body_size=settings.max_body_mb * MEBIBYTE * 2,
        clear_untrusted_proxy_headers=True,
    )
    server.channel_class = _Channel
    server.run()  # waitress shuts its threads down on SystemExit and KeyboardInterrupt


@contextmanager
def sigterm_as_exit() -> Iterator[None]:
    """SIGTERM unwinds the stack like ``sys.exit(0)``, so that everything is closed; once.

    A second SIGTERM while things are being closed is ignored.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
