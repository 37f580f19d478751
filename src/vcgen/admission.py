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
from vcgen.pacing import Accepted, Share, TokenEstimate, backoff_s, bucket
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
        self._rpm: float | None = limits.rpm
        self._tpm: float | None = limits.tpm
        self._share = Share()
        self._allowed = limits.in_flight
        self._slots = asyncio.Semaphore(self._allowed)
        self._excess = 0
        self._changed: Limits | None = None
        self._queued = 0
        self._turn = asyncio.Lock()
        self._waiting: anyio.CancelScope | None = None
        self._opens_at = float("-inf")
        self._stopped: RunStopped | None = None
        self._estimate = TokenEstimate()
        self._debt = 0.0
        self._accepted = Accepted()
        self._began = float("inf")
        self._rebuild()

    async def enter(self, prompt_bytes: int, max_tokens: int) -> Departure:
        """Wait until a request may leave.

        Every `enter` that returns is followed by one `leave`.

        Raises:
            RunStopped: the gate was stopped.
        """
        self._check()
        self._queued += 1
        try:
            await self._slots.acquire()
        finally:
            self._queued -= 1
        try:
            async with self._turn:
                self._check()
                if self._changed is not None:
                    await self._adopt(self._changed)
                # Not before its turn: whoever has waited knows more than when it came.
                tokens = self._estimate.of(prompt_bytes, max_tokens)
                if self._is_limited or _now() < self._opens_at:
                    await self._wait(tokens)
        except BaseException:
            self._free_slot()
            raise
        self.in_flight += 1
        now = _now()
        self._began = min(self._began, now)
        return Departure(now, prompt_bytes, max_tokens, tokens)

    def leave(self) -> None:
        """The request is back, or lost."""
        self.in_flight -= 1
        self._free_slot()

    async def change(self, limits: Limits) -> None:
        """Go by other limits from the next request on; a rate not given stays what it was."""
        self._excess += self._allowed - limits.in_flight
        self._allowed = limits.in_flight
        while self._excess < 0:
            self._excess += 1
            self._slots.release()
        while self._excess > 0 and not self._slots.locked():
            self._excess -= 1
            await self._slots.acquire()
        self._changed = limits

    def passed(self, departure: Departure, usage: Usage) -> None:
        """A request succeeded; the next one pays the difference between estimate and use."""
        now = _now()
        self.closures = 0
        self._accepted.add(now)
        used = usage.prompt_tokens + usage.completion_tokens
        _, prompt_bytes, max_tokens, tokens = departure
        self._estimate.learn(prompt_bytes, usage.prompt_tokens, usage.completion_tokens)
        if used:
            # Tokens set aside before the first replies told better, or more than a request's, are
            # not given back: they would fall into another window.
            known = min(tokens, self._estimate.of(prompt_bytes, max_tokens))
            self._debt = max(-known, self._debt + used - known)
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

    def _check(self) -> None:
        if self._stopped is not None:
            raise self._stopped

    def _free_slot(self) -> None:
        if self._excess > 0:
            self._excess -= 1
        else:
            self._slots.release()

    async def _adopt(self, limits: Limits) -> None:
        """Begin with full buckets: what was let through before counts in the same minute."""
        self._changed = None
        self._rpm, self._tpm = limits.rpm or self._rpm, limits.tpm or self._tpm
        self._rebuild()
        for limiter in (self._requests, self._tokens):
            if limiter is not None:
                await limiter.acquire(limiter.max_rate)

    async def _wait(self, tokens: int) -> None:
        """Until the gate is open and the limiters let this request through, or all is stopped."""
        with anyio.CancelScope() as self._waiting:
            await self._open()
            if self._requests is not None:
                await self._requests.acquire()
            if self._tokens is not None:
                await self._take(self._tokens, tokens)
            await self._open()
        self._check()

    async def _open(self) -> None:
        while _now() < self._opens_at:  # noqa: ASYNC110 - it may move meanwhile
            await anyio.sleep_until(self._opens_at)

    async def _take(self, limiter: "AsyncLimiter", tokens: int) -> None:
        # A limiter refuses more than its capacity at once, so a large request pays in pieces.
        self._debt += tokens
        while self._debt > 0:
            piece = min(self._debt, limiter.max_rate)
            await limiter.acquire(piece)
            self._debt -= piece

    def _rebuild(self) -> None:
        self._requests = self._limiter(self._rpm)
        self._tokens = self._limiter(self._tpm)
        self._is_limited = self._requests is not None or self._tokens is not None

    def _limiter(self, per_minute: float | None) -> "AsyncLimiter | None":
        if per_minute is None:
            return None
        from aiolimiter import AsyncLimiter  # noqa: PLC0415 - it loads all of importlib.metadata

        return AsyncLimiter(*bucket(max(1.0, per_minute * self._share.share)))


def _now() -> float:
    return asyncio.get_running_loop().time()
