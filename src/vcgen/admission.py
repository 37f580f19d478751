"""One fair gate for an endpoint, over aiolimiter: requests, tokens, and requests in flight.

Whoever asks first leaves first, however large the request: one lock in front of the limiters keeps
all but one waiter away from them (aiolimiter alone serves the smallest first). A throttled request
closes the gate for everybody. Nobody polls: the one waiter sleeps until it may leave. No 60 s hold
more than the requests allowed, nor more than the tokens allowed and one request's.

The locks are asyncio's, as the limiter is: anyio's cost ten times as much, on every request.
"""

import asyncio
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import anyio

from vcgen.config import Limits
from vcgen.errors import RunStopped
from vcgen.knee import Knee
from vcgen.pacing import Accepted, Rates, Share, TokenEstimate, backoff_s, bucket, excess
from vcgen.records import Usage

if TYPE_CHECKING:
    from aiolimiter import AsyncLimiter

LEAST_RPM = 6.0  # where the rate has to be guessed from an endpoint that accepted next to nothing


class Departure(NamedTuple):
    """A request that has left: when, in loop time, and what it was taken to use."""

    at: float
    prompt_bytes: int
    max_tokens: int
    tokens: int


class Admission:
    """The gate of one endpoint. Used from one event loop.

    Attributes:
        in_flight: requests that have left and not come back.
        closures: flights in a row that closed the gate, without a success between.
    """

    def __init__(self, limits: Limits, random: Random) -> None:
        self.in_flight = 0
        self.closures = 0
        self._random = random
        self._given = limits
        self._announced = Rates(None, None)
        self._rpm: float | None = limits.rpm
        self._tpm: float | None = limits.tpm
        self._share = Share()
        self._knee = _knee(limits)
        self._allowed = limits.in_flight if self._knee is None else self._knee.limit
        self._slots = asyncio.Semaphore(self._allowed)
        self._excess = 0
        self._queued = 0
        self._turn = asyncio.Lock()
        self._waiting: anyio.CancelScope | None = None
        self._opens_at = float("-inf")
        self._stopped: RunStopped | None = None
        self._estimate = TokenEstimate()
        # What has left without being paid for, and is paid before the next request leaves.
        self._owed_requests = 0.0
        self._owed_tokens = 0.0
        self._left = 0
        self._left_tokens = 0
        self._accepted = Accepted()
        self._began = float("inf")
        self._requests: AsyncLimiter | None = None
        self._tokens: AsyncLimiter | None = None
        self._rebuild()

    async def enter(self, prompt_bytes: int, max_tokens: int) -> Departure:
        """Wait until a request may leave.

        Every `enter` that returns is followed by one `leave`.

        Raises:
            RunStopped: the gate was stopped.
        """
        self.check()
        self._queued += 1
        try:
            await self._slots.acquire()
        finally:
            self._queued -= 1
        try:
            async with self._turn:
                self.check()
                # Not before its turn: whoever has waited knows more than when it came.
                tokens = self._estimate.of(prompt_bytes, max_tokens)
                if self._is_limited or _now() < self._opens_at:
                    await self._wait(tokens)
        except BaseException:
            self._free_slot()
            raise
        self.in_flight += 1
        self._left += 1
        self._left_tokens += tokens
        now = _now()
        self._began = min(self._began, now)
        return Departure(now, prompt_bytes, max_tokens, tokens)

    def leave(self) -> None:
        """The request is back, or lost."""
        self.in_flight -= 1
        self._free_slot()

    async def change(self, limits: Limits) -> None:
        """Go by other limits from the next request on; a rate not given stays what it was."""
        if _knee(limits) is None:
            self._knee = None
            self._allow(limits.in_flight)
        while self._excess > 0 and not self._slots.locked():
            self._excess -= 1
            await self._slots.acquire()
        self._given = limits
        self._go_by_all_known()

    def told(self, announced: Rates) -> None:
        """A reply says what the endpoint allows: go by that, or by what was given if it is less.

        A reply that does not say, as errors often do not, changes nothing.
        """
        pairs = zip(announced, self._announced, strict=True)
        known = Rates(*(before if now is None else now for now, before in pairs))
        if known != self._announced:
            self._announced = known
            self._go_by_all_known()

    def _go_by_all_known(self) -> None:
        given, share = self._given, self._given.shared_by
        rpm, tpm = (None if rate is None else max(1, rate // share) for rate in self._announced)
        rpm, tpm = _least(given.rpm, rpm), _least(given.tpm, tpm)
        # What has left beyond a new rate is owed.
        if rpm is not None and self._knee is not None:
            self._knee = None
            self._allow(Limits(rpm=rpm).in_flight)
        if rpm is not None and rpm != self._rpm:
            before, self._rpm = self._rpm, rpm
            self._requests = self._limiter(rpm)
            owed = excess(self._left, before, rpm, self._requests.max_rate)
            self._owed_requests = max(self._owed_requests, owed)
        if tpm is not None and tpm != self._tpm:
            before, self._tpm = self._tpm, tpm
            self._tokens = self._limiter(tpm)
            owed = excess(self._left_tokens, before, tpm, self._tokens.max_rate)
            self._owed_tokens = max(self._owed_tokens, owed)

    def passed(self, departure: Departure, usage: Usage) -> None:
        """A request succeeded; the next one pays the difference between estimate and use."""
        now = _now()
        self.closures = 0
        if (
            self._knee is not None
            and self._rpm is None
            and self._knee.back(departure.at, now, self.in_flight + 1, self._queued)
        ):
            self._allow(self._knee.limit)
        self._accepted.add(now)
        used = usage.prompt_tokens + usage.completion_tokens
        _, prompt_bytes, max_tokens, tokens = departure
        self._estimate.learn(prompt_bytes, usage.prompt_tokens, usage.completion_tokens)
        if used and self._tokens is not None:
            # Tokens set aside before the first replies told better, or more than a request's, are
            # not given back: they would fall into another window.
            known = min(tokens, self._estimate.of(prompt_bytes, max_tokens))
            self._owed_tokens = max(-known, self._owed_tokens + used - known)
        if self._share.passed(departure.at, now):
            self._rebuild()

    def throttled(self, departure: Departure, delay_s: float | None, *, by_rate: bool) -> None:
        """A request came back throttled: close the gate, slow down if the rate was why."""
        now = _now()
        if by_rate:
            if self._rpm is None and self._tpm is None:
                self._rpm = max(LEAST_RPM, self._accepted.per_minute(now, self._began))
            if self._share.throttled(departure.at, now):
                self._rebuild()
        if departure.at >= self._opens_at:
            self.closures += 1
        elif delay_s is None:
            return  # of the same burst as the closure already in force
        delay = backoff_s(self.closures, self._random.random()) if delay_s is None else delay_s
        self._opens_at = max(self._opens_at, now + delay)

    def stop(self, reason: RunStopped) -> None:
        """Let nobody leave any more; all who wait get `reason`."""
        self._stopped = reason
        if self._waiting is not None:
            self._waiting.cancel()
        for _ in range(self._queued):
            self._slots.release()

    @property
    def _is_limited(self) -> bool:
        return self._requests is not None or self._tokens is not None

    def check(self) -> None:
        """Raises RunStopped once the gate was stopped."""
        if self._stopped is not None:
            raise self._stopped

    def _allow(self, in_flight: int) -> None:
        self._excess += self._allowed - in_flight
        self._allowed = in_flight
        while self._excess < 0:
            self._excess += 1
            self._slots.release()

    def _free_slot(self) -> None:
        if self._excess > 0:
            self._excess -= 1
        else:
            self._slots.release()

    async def _wait(self, tokens: int) -> None:
        """Until the gate is open and the limiters let this request through, or all is stopped."""
        with anyio.CancelScope() as self._waiting:
            await self._open()
            await self._pay(tokens)
            await self._open()
        self.check()

    async def _open(self) -> None:
        while _now() < self._opens_at:  # noqa: ASYNC110 - it may move meanwhile
            await anyio.sleep_until(self._opens_at)

    async def _pay(self, tokens: int) -> None:
        # A limiter refuses more than its capacity at once, so what is owed is paid in pieces; and
        # it may be replaced between two of them.
        while self._requests is not None and self._owed_requests > 0:
            piece = min(self._owed_requests, self._requests.max_rate)
            await self._requests.acquire(piece)
            self._owed_requests -= piece
        if self._requests is not None:
            await self._requests.acquire()
        self._owed_tokens += tokens
        while self._tokens is not None and self._owed_tokens > 0:
            piece = min(self._owed_tokens, self._tokens.max_rate)
            await self._tokens.acquire(piece)
            self._owed_tokens -= piece

    def _rebuild(self) -> None:
        self._requests = None if self._rpm is None else self._limiter(self._rpm)
        self._tokens = None if self._tpm is None else self._limiter(self._tpm)

    def _limiter(self, per_minute: float) -> "AsyncLimiter":
        from aiolimiter import AsyncLimiter  # noqa: PLC0415 - it loads all of importlib.metadata

        return AsyncLimiter(*bucket(max(1.0, per_minute * self._share.share)))


def _knee(limits: Limits) -> Knee | None:
    return Knee() if limits.concurrency is None and limits.rpm is None else None


def _least(given: int | None, announced: int | None) -> int | None:
    return min((rate for rate in (given, announced) if rate is not None), default=None)


def _now() -> float:
    return asyncio.get_running_loop().time()
