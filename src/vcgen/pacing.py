"""How fast to go: pure arithmetic of rates and estimates. Time comes in as an argument.

The rate after a throttle is AIMD (Chiu & Jain 1989) with one cut a flight: only a request *sent
after* the last cut may cut again, so that the 429s of one burst count once.
"""

from collections import deque
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

WINDOW_S = 60.0
SLICE_S = 0.25
MARGIN_S = 0.5
CUT = 0.85
GROWTH = 0.02
GROWTH_EVERY_S = 10.0
LEAST_SHARE = 0.01
ENOUGH = 20  # replies that a judgement on a rate stands on
FAR_DOWN = 0.75
BACKOFF_S, BACKOFF_CAP_S = 1.0, 30.0


class Rates(NamedTuple, Generic[T]):
    """Something of each limit: of requests, of tokens, and of tokens in and out by themselves."""

    rpm: T
    tpm: T
    input_tpm: T
    output_tpm: T


class Bucket(NamedTuple):
    """A leaky bucket: `capacity` amounts every `period_s` seconds."""

    capacity: float
    period_s: float


def bucket(per_minute: float) -> Bucket:
    """A bucket that lets at most `per_minute` amounts into any 60 s, its first burst included.

    A full bucket empties at once and then refills for a whole window, so a bucket of the plain rate
    lets one capacity too many through: the rate is spread over the window and `MARGIN_S` more, of
    which `SLICE_S` is the burst and the rest is room for requests that travel unevenly.
    """
    rate = per_minute / (WINDOW_S + MARGIN_S)
    capacity = max(1.0, rate * SLICE_S)
    return Bucket(capacity, capacity / rate)


def excess(left: float, before: float | None, now: float, burst: float) -> float:
    """What has left in the last minute beyond a rate that holds from now on, in its amounts.

    Args:
        left: all that has left so far.
        before: the rate a minute so far, None if there was none.
        now: the rate a minute from now on.
        burst: what a fresh bucket of that rate would let through at once.
    """
    if before is None:
        return min(left, now)
    return min(left, before - now) if now < before else burst


@dataclass(slots=True)
class Share:
    """The share of an endpoint's rate in use: cut when it throttles, grown while it does not.

    Some endpoints throttle a part of all requests whatever the rate (a shared or overloaded pool).
    Cutting for them goes down and down and changes nothing. So a descent remembers where it began
    and how much was throttled there: if a rate is the cause, then less rate must throttle less, by
    a known amount. If not, the descent is taken back and that much throttling is put up with.
    """

    share: float = 1.0
    _cut_at: float = float("-inf")
    _grown_at: float = 0.0
    _came: int = 0
    _throttled: int = 0
    _top: float | None = None
    _top_throttled: float = 0.0
    _put_up_with: float = 0.0

    def throttled(self, sent_at: float, now: float) -> bool:
        """A request sent at `sent_at` was throttled; whether that changed the share."""
        if sent_at <= self._cut_at:
            return False
        self._came += 1
        self._throttled += 1
        part = self._throttled / self._came
        if self._top is None:
            if self._came < ENOUGH or part <= 2 * self._put_up_with:
                return False
            self._top, self._top_throttled = self.share, part
        elif self._came < ENOUGH:
            return False
        elif self.share <= FAR_DOWN * self._top:
            by_rate = max(0.0, 1 - (1 - self._top_throttled) * self._top / self.share)
            if part > (by_rate + self._top_throttled) / 2:
                self._put_up_with = part
                return self._turn(self._top, now, top=None)
        return self._turn(max(LEAST_SHARE, self.share * CUT), now, top=self._top)

    def passed(self, sent_at: float, now: float) -> bool:
        """A request sent at `sent_at` succeeded; whether the share has grown for it."""
        if sent_at <= self._cut_at:
            return False
        self._came += 1
        if self.share >= 1.0 or now - self._grown_at < GROWTH_EVERY_S:
            return False
        self.share = min(1.0, self.share + GROWTH)
        self._grown_at = now
        self._top = None
        return True

    def _turn(self, share: float, now: float, top: float | None) -> bool:
        self.share, self._top = share, top
        self._cut_at = self._grown_at = now
        self._came = self._throttled = 0
        return True


class Accepted:
    """How many requests an endpoint accepted over the last minute, counted by whole seconds."""

    def __init__(self) -> None:
        self._total = 0
        self._seconds: deque[tuple[int, int]] = deque()

    def add(self, now: float) -> None:
        """Count one request."""
        second = int(now)
        before = 0
        if self._seconds and self._seconds[-1][0] == second:
            _, before = self._seconds.pop()
        self._seconds.append((second, before + 1))
        self._total += 1

    def per_minute(self, now: float, began: float) -> float:
        """The rate over the last minute, or since `began` if that is less."""
        while self._seconds and self._seconds[0][0] <= now - WINDOW_S:
            self._total -= self._seconds.popleft()[1]
        return self._total * WINDOW_S / min(max(now - began, 1.0), WINDOW_S)


def backoff_s(closures: int, draw: float) -> float:
    """Seconds to keep the gate closed at the n-th closure in a row, if the endpoint says none."""
    return float(min(BACKOFF_CAP_S, BACKOFF_S * 2 ** min(closures - 1, 10)) * (0.5 + draw / 2))


@dataclass(slots=True)
class TokenEstimate:
    """Tokens a call will use, learned from the calls before it.

    Starts from a third of the prompt's bytes, which errs on the safe side for English, and from the
    whole room for the reply.
    """

    prompt_per_byte: float = 0.33
    completion: float | None = None
    weight: float = 0.05

    def of(self, prompt_bytes: int, max_tokens: int) -> tuple[int, int]:
        """Estimated tokens of the prompt and of the reply."""
        reply = max_tokens if self.completion is None else min(self.completion, max_tokens)
        return int(prompt_bytes * self.prompt_per_byte) + 1, int(reply)

    def learn(self, prompt_bytes: int, prompt_tokens: int, completion_tokens: int) -> None:
        """Take in what a call really used."""
        if prompt_tokens and prompt_bytes:
            self.prompt_per_byte += self.weight * (
                prompt_tokens / prompt_bytes - self.prompt_per_byte
            )
        if completion_tokens:
            before = completion_tokens if self.completion is None else self.completion
            self.completion = before + self.weight * (completion_tokens - before)
