"""Every error that Palate raises on purpose.

    PalateError                 message, hint; retryable says whether waiting can help
    ├── InvalidInput            the caller sent something unusable            HTTP 400
    ├── NotFound                the named thing does not exist                HTTP 404
    ├── Forbidden               the caller may not do this                    HTTP 403
    ├── StoreError              SQL or vector store failed                    HTTP 503  retryable
    ├── ModelUnavailable        no model answers at the address               HTTP 503  retryable
    ├── ModelTimeout            the model did not answer in time              HTTP 504  retryable
    ├── ModelOutputError        the model answered something unusable         HTTP 502
    ├── ContextOverflow         the prompt does not fit the model's window    HTTP 400
    └── Overloaded              too much is queued; come back later           HTTP 429  retryable

An adapter maps every error of its SDK to one of these; nothing else crosses a port.
"""

from __future__ import annotations

from typing import ClassVar


class PalateError(Exception):
    """Base of the tree.

    Args:
        message: what happened, naming the offending value.
        hint: what the reader can do about it; may be empty.
    """

    retryable: ClassVar[bool] = False
    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInput(PalateError):
    """The caller sent something unusable; sending it again unchanged cannot help."""

    code = "invalid_input"
    http_status = 400
    exit_code = 2


class NotFound(PalateError):
    """The named user, item, file, prompt or model does not exist."""

    code = "not_found"
    http_status = 404
    exit_code = 3


class Forbidden(PalateError):
    """The caller may not do this."""

    code = "forbidden"
    http_status = 403
    exit_code = 4


class StoreError(PalateError):
    """The SQL or vector store failed or disagrees with what is configured."""

    retryable = True
    code = "store_error"
    http_status = 503
    exit_code = 5


class ModelUnavailable(PalateError):
    """No model answers, or it cannot be started."""

    retryable = True
    code = "model_unavailable"
    http_status = 503
    exit_code = 6


class ModelTimeout(PalateError):
    """The model did not answer before the deadline."""

    retryable = True
    code = "model_timeout"
    http_status = 504
    exit_code = 6


class ModelOutputError(PalateError):
    """The model answered something that cannot be used."""

    code = "model_output"
    http_status = 502
    exit_code = 6


class ContextOverflow(PalateError):
    """The prompt does not fit into the model's context window."""

    code = "context_overflow"
    http_status = 400
    exit_code = 2


class Overloaded(PalateError):
    """Too much is queued already."""

    retryable = True
    code = "overloaded"
    http_status = 429
    exit_code = 5
