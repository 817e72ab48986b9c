"""Which error of the port each exception of the openai SDK becomes.

By class name, so that only ``agent.vllm`` imports the SDK; a test enumerates the SDK's
exceptions and fails when one is missing here.
"""

from __future__ import annotations

from retrieval.errors import (
    ContextOverflow,
    ModelOutputError,
    ModelTimeout,
    ModelUnavailable,
    PalateError,
)

MAPPED: dict[str, type[PalateError]] = {
    "APITimeoutError": ModelTimeout,
    "APIConnectionError": ModelUnavailable,
    "AuthenticationError": ModelUnavailable,
    "OAuthError": ModelUnavailable,
    "PermissionDeniedError": ModelUnavailable,
    "NotFoundError": ModelUnavailable,
    "ConflictError": ModelUnavailable,
    "RateLimitError": ModelUnavailable,
    "InternalServerError": ModelUnavailable,
    "BadRequestError": ModelOutputError,
    "UnprocessableEntityError": ModelOutputError,
    "APIResponseValidationError": ModelOutputError,
    "LengthFinishReasonError": ModelOutputError,
    "ContentFilterFinishReasonError": ModelOutputError,
    "StreamAlreadyConsumed": ModelOutputError,
    "WebSocketConnectionClosedError": ModelUnavailable,
    "WebSocketQueueFullError": ModelUnavailable,
    "SubjectTokenProviderError": ModelUnavailable,
    "InvalidWebhookSignatureError": ModelOutputError,
    "MutuallyExclusiveAuthError": ModelUnavailable,
    "APIRemovedInV1": ModelUnavailable,
    "_AmbiguousModuleClientUsageError": ModelUnavailable,
    # The bases; statuses without a class of their own (such as 402 or 418) arrive as these.
    "APIStatusError": ModelUnavailable,
    "APIError": ModelUnavailable,
    "OpenAIError": ModelUnavailable,
}

_HINTS = {
    "AuthenticationError": "check llm.api_key (PALATE_LLM_API_KEY)",
    "PermissionDeniedError": "check llm.api_key (PALATE_LLM_API_KEY)",
    "NotFoundError": "check llm.model and llm.base_url (it ends in /v1)",
    "APIConnectionError": "check llm.base_url, or start a server: palate llm serve",
    "APITimeoutError": "raise llm.timeout or the deadline, or use a smaller model",
    "RateLimitError": "the server is busy or the quota is spent; try again later",
    "InternalServerError": "look at the model server's log",
}
_OVERFLOW = (
    "maximum context length",
    "context_length_exceeded",
    "max_model_len",
    "context window",
    "prompt is too long",
)


def mapped_error(error: Exception, where: str, secret: str = "") -> PalateError:
    """The port's error for one of the SDK's.

    Args:
        error: an exception whose class, or a base of it, is in ``MAPPED``.
        where: the server's address, for the message.
        secret: blotted out wherever the server repeats it.
    """
    text = " ".join(str(error).split())
    if secret:
        text = text.replace(secret, "***")
    text = text[:300]
    names = [kind.__name__ for kind in type(error).__mro__]
    name = next((candidate for candidate in names if candidate in MAPPED), "OpenAIError")
    if name in ("BadRequestError", "UnprocessableEntityError") and any(
        sign in text.lower() for sign in _OVERFLOW
    ):
        return ContextOverflow(
            f"the prompt does not fit the model's window: {text}", "shorten the input"
        )
    hint = next((_HINTS[candidate] for candidate in names if candidate in _HINTS), "")
    verb = {
        "APITimeoutError": "did not answer in time",
        "APIConnectionError": "cannot be reached or hung up",
    }.get(name, "refused or failed")
    return MAPPED[name](f"the model server at {where} {verb}: {text}", hint)
