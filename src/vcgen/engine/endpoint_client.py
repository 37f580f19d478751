"""One endpoint of an engine: how it is spoken to, and whether it can be reached."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import anyio
import orjson
from pydantic import SecretStr

from vcgen._version import __version__
from vcgen.engine.chat import ChatRequest, Completion, Failure, decode, encode
from vcgen.engine.config import Capabilities, Endpoint, Limits, Structured
from vcgen.engine.limits.limiter import EndpointLimiter
from vcgen.engine.rate_headers import announced_limits
from vcgen.engine.transport.base import Transport
from vcgen.errors import ConnectFailed, ReplyTooLarge, TimedOut, TransportError

# How long an endpoint may be out of reach: before it ever answered, and after.
NEVER_REACHED_S = 30.0
OUT_OF_REACH_S = 600.0
# Shorter keys are words somebody chose ("none", "placeholder"), which texts may hold.
SHORTEST_SECRET = 16
HIDDEN = "(the key)"


class EndpointClient:
    """What is known of one endpoint.

    Attributes:
        gate: lets requests leave for it.
        dialect: what it has been found to understand.
        is_reached: it has answered at least once.
    """

    def __init__(self, endpoint: Endpoint, limits: Limits, random: Random, most: int) -> None:
        self.endpoint = endpoint
        self.gate = EndpointLimiter(limits, random, most)
        self.dialect = endpoint.dialect
        self.is_reached = False
        self._is_proven = endpoint.json_mode != "auto"
        self._headers = _headers(endpoint)
        self._key_spellings = tuple(_spellings(endpoint.key))
        self._failing_since: float | None = None
        self._is_absent = False

    def encode(self, request: ChatRequest, dialect: Capabilities) -> bytes:
        """A request as it is sent here."""
        return encode(request, self.endpoint.asked_for, dialect)

    async def post(
        self, transport: Transport, body: bytes, timeout_s: float
    ) -> Completion | Failure:
        """What one request comes to."""
        result: Completion | Failure
        try:
            reply = await transport.post(self.endpoint.url, self._headers, body, timeout_s)
        except TransportError as error:
            result = _no_reply(error)
            self._is_absent = not self.is_reached and isinstance(error, ConnectFailed)
        else:
            self.is_reached = True
            self.gate.told(announced_limits(reply.headers))
            body = reply.body
            for spelling in self._key_spellings:
                body = body.replace(spelling, HIDDEN.encode())
            result = decode(reply.status, reply.headers, body)
        if isinstance(result, Completion):
            self._failing_since = None
            return result
        return replace(result, message=self._without_key(result.message))

    def easier(
        self, request: ChatRequest, dialect: Capabilities, failure: Failure
    ) -> Capabilities | None:
        """What to try after the endpoint refused a way of asking that it has not yet accepted."""
        if failure.status not in {400, 422}:
            return None
        if "max_completion_tokens" in failure.message and dialect.token_limit == "max_tokens":  # noqa: S105
            return dialect._replace(token_limit="max_completion_tokens")  # noqa: S106
        if request.schema is None or dialect.structured is Structured.PROMPT:
            return None
        if not self._is_proven:
            return dialect._replace(structured=Structured(dialect.structured - 1))
        known = self.dialect.structured
        return dialect._replace(structured=known) if known < dialect.structured else None

    def learn(self, request: ChatRequest, dialect: Capabilities) -> None:
        """The endpoint has understood."""
        if request.schema is not None and not self._is_proven:
            self._is_proven = True
            self.dialect = dialect
        elif dialect.token_limit != self.dialect.token_limit:
            self.dialect = self.dialect._replace(token_limit=dialect.token_limit)

    def fails(self, sent_at: float) -> None:
        """A request sent then did not get through."""
        if self._failing_since is None:
            self._failing_since = sent_at

    @property
    def failing_s(self) -> float:
        """For how many seconds no request has got through."""
        since = self._failing_since
        return 0.0 if since is None else anyio.current_time() - since

    @property
    def is_given_up(self) -> bool:
        """Whether it is refused to us, or has been out of reach for longer than one should wait."""
        patience_s = NEVER_REACHED_S if self._is_absent else OUT_OF_REACH_S
        return self.gate.dead or self.failing_s >= patience_s

    def _without_key(self, message: str) -> str:
        """What is said of a failure, should it repeat the key that was sent."""
        key = self.endpoint.key
        return message.replace(key.get_secret_value(), HIDDEN) if key else message


def _headers(endpoint: Endpoint) -> dict[str, str]:
    headers = {"content-type": "application/json", "user-agent": f"vcgen/{__version__}"}
    if endpoint.key is not None:
        headers["authorization"] = f"Bearer {endpoint.key.get_secret_value()}"
    return headers


def _spellings(key: SecretStr | None) -> Iterator[bytes]:
    """How a reply in JSON writes the key, should it repeat it: in an error, or in a completion."""
    secret = "" if key is None else key.get_secret_value()
    if len(secret) < SHORTEST_SECRET:
        return
    written = orjson.dumps(secret)[1:-1]
    yield from {secret.encode("ascii"), written, written.replace(b"/", rb"\/")}


def _no_reply(error: TransportError) -> Failure:
    codes = {ConnectFailed: "connect_failed", TimedOut: "timed_out", ReplyTooLarge: "too_large"}
    code = codes.get(type(error), "connection_lost")
    return Failure(
        status=0, code=code, message=str(error), should_retry=False if code == "too_large" else None
    )
