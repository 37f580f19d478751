"""One call, whatever it takes: admission, transport, decision.

    async with Engine(Endpoint.from_environment("gpt-4o-mini")) as engine:
        completion = await engine.complete(ChatRequest(messages=(Message("user", "Hello"),)))

It knows nothing of video and is usable alone, for prompts of any kind.
"""

from dataclasses import dataclass, replace
from random import Random
from types import TracebackType
from typing import Self

import anyio

from vcgen._version import __version__
from vcgen.admission import Admission, Departure
from vcgen.chat import ChatRequest, Completion, Failure, announced, decode, encode
from vcgen.config import Dialect, Endpoint, Limits, Structured
from vcgen.errors import (
    BudgetSpent,
    ConnectFailed,
    Rejected,
    ReplyTooLarge,
    RunStopped,
    TimedOut,
    TransportError,
    UsageError,
)
from vcgen.limiting import Limiting
from vcgen.records import Usage
from vcgen.retry import Again, GiveUp, Stop, Throttle, decide
from vcgen.spending import Amount, Spending
from vcgen.transport import HttpTransport, Transport

# How long an endpoint may be out of reach: before it ever answered, and after.
NEVER_REACHED_S = 30.0
REACH_AGAIN_S = 2.0
OUT_OF_REACH_S = 600.0


@dataclass(slots=True)
class Counters:
    """What an engine has done so far."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    completions: int = 0
    usage: Usage = Usage()


class Engine:
    """Sends chat requests to one endpoint as fast as it allows.

    Args:
        endpoint: where to.
        limits: what the endpoint allows.
        timeout_s: deadline of one attempt, from its first byte out to the reply's last byte in.
        transport: None opens the default one, or the simulator for the model `sim`.
        seed: of the jitter.
        spending: the books of a budget; None spends without end.

    Raises:
        UsageError: the timeout is none.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        limits: Limits | None = None,
        timeout_s: float = 120.0,
        transport: Transport | None = None,
        seed: int = 0,
        spending: Spending | None = None,
    ) -> None:
        if not 0 < timeout_s < float("inf"):
            raise UsageError(f"the timeout must be a number of seconds above 0, not {timeout_s}")
        self.endpoint = endpoint
        self.limits = limits or Limits()
        self.counters = Counters()
        self.timeout_s = timeout_s
        self._owned = transport is None
        self._transport = transport or _default_transport(endpoint)
        self._random = Random(seed)  # noqa: S311 - jitter
        self._admission = Admission(self.limits, self._random)
        self._dialect = endpoint.dialect
        self._proven = endpoint.structured != "auto"
        self._headers = _headers(endpoint)
        self._spending = spending
        self._settled = anyio.Event()
        self._ending = anyio.Event()
        self._reached = False
        self._failing_since: float | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._owned:
            with anyio.CancelScope(shield=True):
                await self._transport.aclose()

    @property
    def in_flight(self) -> int:
        """Requests sent whose reply has not come."""
        return self._admission.in_flight

    @property
    def limiting(self) -> Limiting:
        """What has kept requests from leaving so far."""
        return Limiting()

    def stop(self, reason: RunStopped) -> None:
        """Send nothing more; whoever waits to send gets `reason`. Requests in flight go on."""
        self._admission.stop(reason)
        self._ending.set()
        self._settled.set()

    async def change(self, limits: Limits) -> None:
        """Go by other limits from now on; a rate not given stays what it was."""
        self.limits = limits
        await self._admission.change(limits)

    async def complete(self, request: ChatRequest) -> Completion:
        """The answer to one request, retried as `vcgen.retry` decides.

        Raises:
            Rejected: the endpoint's last word on this request, or its attempts are used up.
            RunStopped: nothing can be sent to the endpoint any more.
        """
        attempt, sent = 1, 0
        dialect = self._dialect
        while True:
            sent += 1
            result, departure = await self._attempt(request, dialect)
            if isinstance(result, Completion):
                self._learn(request, dialect)
                return result if sent == 1 else replace(result, attempts=sent)
            easier = self._easier(request, dialect, result)
            if easier is not None:
                dialect = easier
                continue
            decision = decide(result, attempt, self._random.random())
            match decision:
                case Throttle(delay_s):
                    self.counters.throttled += 1
                    self._stop_if_dead(result, departure.at)
                    if self._is_unreached(result):
                        delay_s = REACH_AGAIN_S
                    by_rate = result.status != 0
                    self._admission.throttled(departure, delay_s, by_rate=by_rate)
                case Again(delay_s):
                    attempt += 1
                    with anyio.move_on_after(delay_s):
                        await self._ending.wait()
                case GiveUp(reason):
                    raise Rejected(reason, result.message, attempts=sent)
                case Stop(message):
                    raise self._stopped(message)
            self.counters.retries += 1

    async def _attempt(
        self, request: ChatRequest, dialect: Dialect
    ) -> tuple[Completion | Failure, Departure]:
        body = encode(request, self.endpoint.model, dialect)
        if self._spending is None:
            return await self._send(body, request.max_tokens)
        amount = await self._set_aside(self._spending, len(body), request.max_tokens)
        usage = None
        try:
            result, departure = await self._send(body, request.max_tokens)
            usage = _used(result)
        finally:
            self._spending.settle(amount, usage)
            self._settled.set()
            self._settled = anyio.Event()
        return result, departure

    async def _set_aside(self, spending: Spending, prompt_bytes: int, max_tokens: int) -> Amount:
        """Wait until the budget allows a request, which it may once others are back."""
        while (amount := spending.set_aside(prompt_bytes, max_tokens)) is None:
            self._admission.check()
            if not spending.outstanding:
                reason = BudgetSpent("the budget allows no further request")
                self.stop(reason)
                raise reason
            await self._settled.wait()
        return amount

    async def _send(self, body: bytes, max_tokens: int) -> tuple[Completion | Failure, Departure]:
        departure = await self._admission.enter(len(body), max_tokens)
        self.counters.requests += 1
        result: Completion | Failure
        try:
            reply = await self._transport.post(
                self.endpoint.url, self._headers, body, self.timeout_s
            )
        except TransportError as error:
            result = _no_reply(error)
        else:
            self._reached = True
            self._admission.told(announced(reply.headers))
            result = decode(reply.status, reply.headers, reply.body)
        finally:
            self._admission.leave()
        if isinstance(result, Completion):
            self._account(result.usage)
            self._admission.passed(departure, result.usage)
            return result, departure
        return replace(result, message=self._without_key(result.message)), departure

    def _without_key(self, message: str) -> str:
        """What an endpoint says, should it repeat the key it was sent."""
        key = self.endpoint.key
        return message.replace(key.get_secret_value(), "(the key)") if key else message

    def _account(self, usage: Usage) -> None:
        self._failing_since = None
        self.counters.completions += 1
        self.counters.usage += usage

    def _easier(self, request: ChatRequest, dialect: Dialect, failure: Failure) -> Dialect | None:
        """What to try after the endpoint refused a way of asking that it has not yet accepted."""
        if failure.status not in {400, 422}:
            return None
        if "max_completion_tokens" in failure.message and dialect.token_limit == "max_tokens":  # noqa: S105
            return dialect._replace(token_limit="max_completion_tokens")  # noqa: S106
        if request.schema is None or dialect.structured is Structured.PROMPT:
            return None
        if not self._proven:
            return dialect._replace(structured=Structured(dialect.structured - 1))
        known = self._dialect.structured
        return dialect._replace(structured=known) if known < dialect.structured else None

    def _learn(self, request: ChatRequest, dialect: Dialect) -> None:
        if request.schema is not None and not self._proven:
            self._proven = True
            self._dialect = dialect
        elif dialect.token_limit != self._dialect.token_limit:
            self._dialect = self._dialect._replace(token_limit=dialect.token_limit)

    def _stop_if_dead(self, failure: Failure, sent_at: float) -> None:
        """Stop the run when the gate has been closed for longer than anybody should wait."""
        if self._failing_since is None:
            self._failing_since = sent_at
        waited = anyio.current_time() - self._failing_since
        patience = NEVER_REACHED_S if self._is_unreached(failure) else OUT_OF_REACH_S
        if waited >= patience:
            raise self._stopped(
                f"{self.endpoint.url} has given no answer for {waited:.0f} s: {failure.message}"
            )

    def _is_unreached(self, failure: Failure) -> bool:
        return failure.status == 0 and not self._reached

    def _stopped(self, message: str) -> RunStopped:
        reason = RunStopped(message)
        self.stop(reason)
        return reason


def _used(result: Completion | Failure) -> Usage | None:
    """What an attempt used, None if that is not known and may be something."""
    if isinstance(result, Completion):
        return result.usage if result.usage.prompt_tokens else None
    was_refused = result.status not in {0, 200} or result.code == "connect_failed"
    return Usage() if was_refused else None


def _default_transport(endpoint: Endpoint) -> Transport:
    if endpoint.simulated:
        from vcgen.sim.transport import SimTransport  # noqa: PLC0415 - most runs need no simulator

        return SimTransport()
    return HttpTransport()


def _headers(endpoint: Endpoint) -> dict[str, str]:
    headers = {"content-type": "application/json", "user-agent": f"vcgen/{__version__}"}
    if endpoint.key is not None:
        headers["authorization"] = f"Bearer {endpoint.key.get_secret_value()}"
    return headers


def _no_reply(error: TransportError) -> Failure:
    codes = {ConnectFailed: "connect_failed", TimedOut: "timed_out", ReplyTooLarge: "too_large"}
    code = codes.get(type(error), "connection_lost")
    return Failure(
        status=0, code=code, message=str(error), should_retry=False if code == "too_large" else None
    )
