"""Speak to one endpoint: encode, send, decode; learn which ways of asking it understands."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import orjson

from vcgen._version import __version__
from vcgen.engine.chat import ChatRequest, Completion, Failure, FailureKind
from vcgen.engine.config import Capabilities, Endpoint, Structured
from vcgen.engine.limits.limiter import EndpointLimiter
from vcgen.engine.limits.per_limit import UNKNOWN, PerLimit
from vcgen.engine.limits.permit import Permit
from vcgen.engine.models import Thinking, require_temperature, thinking_of
from vcgen.engine.plain_text import plain
from vcgen.engine.rate_headers import announced_limits
from vcgen.engine.transport.base import Transport
from vcgen.engine.wire.completions import Form, decode, encode
from vcgen.errors import (
    BadCertificate,
    ConnectFailed,
    LocalError,
    ReplyTooLarge,
    StaleConnection,
    TimedOut,
    TransportError,
)

# Shorter keys are placeholders such as "none", which texts may hold.
SHORTEST_SECRET = 16
HIDDEN = "(the key)"
# Statuses of servers that do not know a response format, though they know the address; llama.cpp's
# answers 500 and names the formats it knows.
_NO_SUCH_FORM = frozenset({404, 405, 415, 501})
_FORM_WORDS = re.compile(r"response_format|json_schema|json_object")

_KINDS = {
    ConnectFailed: FailureKind.NO_CONNECTION,
    BadCertificate: FailureKind.BAD_CERTIFICATE,
    LocalError: FailureKind.LOCAL,
    StaleConnection: FailureKind.STALE_CONNECTION,
    TimedOut: FailureKind.TIMED_OUT,
    ReplyTooLarge: FailureKind.REPLY_TOO_LARGE,
}


class EndpointClient:
    """One endpoint.

    Args:
        transport: sends the bytes.
        timeout_s: deadline of an attempt.

    Attributes:
        limiter: permits requests to it.
        capabilities: ways of asking that it has been found to understand.
    """

    def __init__(
        self, endpoint: Endpoint, limiter: EndpointLimiter, transport: Transport, timeout_s: float
    ) -> None:
        self.endpoint = endpoint
        self.limiter = limiter
        self._transport = transport
        self._timeout_s = timeout_s
        self.capabilities = endpoint.capabilities
        self._is_proven = endpoint.json_mode != "auto"
        self._has_answered = False
        self._headers = _headers(endpoint)
        self._least_thinking = thinking_of(endpoint.model, "least")
        secrets = [*([endpoint.key] if endpoint.key else []), *endpoint.headers.values()]
        self._secrets = tuple(secret.get_secret_value() for secret in secrets)
        self._spellings = tuple(chain.from_iterable(map(_spellings, self._secrets)))

    def encode(self, request: ChatRequest, capabilities: Capabilities) -> bytes:
        """The body of a request.

        Raises:
            UsageError: the model is known to refuse the effort or the temperature.
        """
        model = self.endpoint.model
        require_temperature(model, request.effort, request.temperature)
        endpoint = self.endpoint
        form = Form(endpoint.served_model, capabilities, self._thinking(request), endpoint.body)
        return encode(request, form)

    def max_tokens(self, request: ChatRequest) -> int:
        """The most tokens that the reply to a request may have, thinking included."""
        return request.max_tokens + self._thinking(request).room_tokens

    def _thinking(self, request: ChatRequest) -> Thinking:
        if request.effort == "least" and request.thinking_room is None:
            return self._least_thinking
        return thinking_of(self.endpoint.model, request.effort, request.thinking_room)

    async def send(
        self, permit: Permit, body: bytes
    ) -> tuple[Completion | Failure, PerLimit[int | None]]:
        """Send a body; returns the decoded reply and the limits that its headers announce."""
        timeout_s = self.limiter.timeout_s(permit, self._timeout_s)
        try:
            reply = await self._transport.post(self.endpoint.url, self._headers, body, timeout_s)
        except TransportError as error:
            return self._presentable(_no_reply(error)), UNKNOWN
        content = reply.body
        for spelling in self._spellings:
            content = content.replace(spelling, HIDDEN.encode())
        result = decode(reply.status, reply.headers, content)
        if isinstance(result, Failure):
            result = self._presentable(result)
        return result, announced_limits(reply.headers)

    def downgrade(
        self, request: ChatRequest, capabilities: Capabilities, failure: Failure
    ) -> Capabilities | None:
        """A simpler way to ask, after a refusal of one that the endpoint has never accepted."""
        if not self._may_be_about_form(failure):
            return None
        if "max_completion_tokens" in failure.message and capabilities.token_limit == "max_tokens":  # noqa: S105 - a parameter's name
            return capabilities._replace(token_limit="max_completion_tokens")  # noqa: S106 - as above
        objection = failure.param or _named_field(failure.message)
        if objection == "reasoning_effort":
            # An effort that the caller asked for is not dropped.
            may_drop = request.effort == "least" and capabilities.takes_effort
            return capabilities._replace(takes_effort=False) if may_drop else None
        if request.schema is None or capabilities.structured is Structured.PROMPT:
            return None
        if objection and not objection.startswith(("response_format", "text.format")):
            return None
        if not self._is_proven:
            return capabilities._replace(structured=Structured(capabilities.structured - 1))
        known = self.capabilities.structured
        if known < capabilities.structured:
            return capabilities._replace(structured=known)
        return None

    def _may_be_about_form(self, failure: Failure) -> bool:
        """Whether an endpoint may refuse with this the way in which it was asked."""
        if failure.status in {400, 422} or (failure.status in _NO_SUCH_FORM and self._has_answered):
            return True
        return failure.status >= 500 and _FORM_WORDS.search(failure.message) is not None

    def learn(self, request: ChatRequest, capabilities: Capabilities) -> None:
        """Learn from an answer that the endpoint has understood."""
        self._has_answered = True
        if request.schema is not None and not self._is_proven:
            self._is_proven = True
            self.capabilities = capabilities
        elif capabilities != self.capabilities:
            self.capabilities = capabilities._replace(structured=self.capabilities.structured)

    def _presentable(self, failure: Failure) -> Failure:
        """A failure whose message may be shown."""
        message = failure.message
        for secret in self._secrets:
            message = message.replace(secret, HIDDEN)
        message = plain(message)
        return failure if message == failure.message else replace(failure, message=message)


def _named_field(message: str) -> str:
    """The field of ours that a refusal without `param` names, empty if it names none."""
    return next((field for field in ("reasoning_effort", "temperature") if field in message), "")


def _headers(endpoint: Endpoint) -> dict[str, str]:
    headers = {"content-type": "application/json", "user-agent": f"vcgen/{__version__}"}
    if endpoint.key is not None:
        headers["authorization"] = f"Bearer {endpoint.key.get_secret_value()}"
    given = {name.lower(): value.get_secret_value() for name, value in endpoint.headers.items()}
    return headers | given


def _spellings(secret: str) -> Iterator[bytes]:
    """The ways in which JSON may write a key that a reply repeats."""
    if len(secret) < SHORTEST_SECRET:
        return
    written = orjson.dumps(secret)[1:-1]
    yield from {secret.encode("ascii"), written, written.replace(b"/", rb"\/")}


def _no_reply(error: TransportError) -> Failure:
    kind = _KINDS.get(type(error), FailureKind.CONNECTION_LOST)
    should_retry = False if kind is FailureKind.REPLY_TOO_LARGE else None
    return Failure(status=0, code="", message=str(error), kind=kind, should_retry=should_retry)
