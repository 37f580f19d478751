"""How fast to go: pure arithmetic of rates and estimates. Time comes in as an argument."""

from collections import deque
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

WINDOW_S = 60.0
# A bucket's burst, in seconds of its rate: room for late timers. Some endpoints throttle any burst,
# so it is less for one that has throttled.
SLICE_S, SMOOTH_S = 0.1, 0.02
MARGIN_S = 0.5
BACKOFF_S, BACKOFF_CAP_S = 1.0, 30.0
LONGEST_PROBE_S = 5.0
PUT_UP_WITH = 0.1


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


def bucket(per_minute: float, slice_s: float = SLICE_S) -> Bucket:
    """A bucket that lets at most `per_minute` amounts into any 60 s, its first burst included.

    A full bucket empties at once and then refills for a whole window, so a bucket of the plain rate
    lets one capacity too many through: the rate is spread over the window and `MARGIN_S` more, of
    which `slice_s` is the burst and the rest is room for requests that travel unevenly.
    """
    rate = per_minute / (WINDOW_S + MARGIN_S)
    capacity = max(1.0, rate * slice_s)
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


class Accepted:
    """What an endpoint has accepted of the last minute's requests, kept by whole seconds."""

    def __init__(self) -> None:
        self._total = 0.0
        self._seconds: deque[list[float]] = deque()

    def add(self, sent_at: float, amount: float) -> None:
        """A request has left, and is accepted as far as is known."""
        if not self._seconds or sent_at >= self._seconds[-1][0] + 1:
            self._forget(sent_at)
            self._seconds.append([int(sent_at), 0.0])
        self._seconds[-1][1] += amount
        self._total += amount

    def refused(self, sent_at: float, amount: float) -> None:
        """One that was counted was refused."""
        for entry in reversed(self._seconds):
            if entry[0] <= sent_at:
                if sent_at < entry[0] + 1:
                    entry[1] -= amount
                    self._total -= amount
                return

    def scale(self, factor: float) -> None:
        """Count in another unit from now on."""
        self._seconds = deque([second, amount * factor] for second, amount in self._seconds)
        self._total *= factor

    def per_minute(self, now: float, began: float) -> float:
        """The rate over the last minute, or since `began` if that is less."""
        self._forget(now)
        return max(0.0, self._total) * WINDOW_S / min(max(now - began, 1.0), WINDOW_S)

    def _forget(self, now: float) -> None:
        while self._seconds and self._seconds[0][0] <= now - WINDOW_S:
            self._total -= self._seconds.popleft()[1]


def backoff_s(closures: int, draw: float) -> float:
    """Seconds to keep the gate closed at the n-th closure in a row, if the endpoint says none."""
    return float(min(BACKOFF_CAP_S, BACKOFF_S * 2 ** min(closures - 1, 10)) * (0.5 + draw / 2))


@dataclass(slots=True)
class Closures:
    """When the gate is open: closed by a throttle, and opened by one request that goes ahead.

    Attributes:
        opens_at: nothing leaves before.
        count: flights in a row that closed the gate, without a success between.
    """

    opens_at: float = float("-inf")
    count: int = 0
    _closed_at: float = float("-inf")
    _refusal_s: float = 0.0
    _is_probed: bool = False
    _probe_left: bool = False

    def refused(
        self, sent_at: float, now: float, delay_s: float | None, draw: float, *, probe: bool
    ) -> None:
        """A request sent at `sent_at` was refused: close.

        Args:
            delay_s: for how long, None for longer each time in a row.
            draw: a random number in 0..1, for the jitter.
            probe: whether to send one request ahead of the others, as is done from the second time
                in a row.
        """
        if sent_at > self._closed_at:
            self.count += 1
            self._closed_at = now
            self._is_probed, self._probe_left = probe or self.count > 1, False
        elif delay_s is None:
            return  # of the same burst as the closure already in force
        self._refusal_s = now - sent_at
        delay = backoff_s(self.count, draw) if delay_s is None else delay_s
        self.opens_at = max(self.opens_at, now + delay)

    def tolerated(self, sent_at: float, now: float, delay_s: float | None) -> None:
        """A request was refused by an endpoint that refuses some whatever is done.

        Without a `delay_s` the gate is closed for a tenth of the time since it last was.
        """
        if delay_s is None:
            delay_s = min(BACKOFF_S, PUT_UP_WITH * (now - max(self._closed_at, 0.0)))
        if sent_at > self._closed_at:
            self._closed_at = now
        self.opens_at = max(self.opens_at, now + delay_s)

    def left(self, now: float) -> None:
        """A request has left: a probe goes alone for as long as refusals take."""
        if not self._is_probed:
            return
        if self._probe_left:
            self._is_probed, self.count = False, 0
        else:
            self._probe_left = True
            self.opens_at = now + min(LONGEST_PROBE_S, 1.5 * self._refusal_s)

    def passed(self, sent_at: float) -> None:
        """A request sent at `sent_at` succeeded."""
        if sent_at > self._closed_at:
            self._is_probed, self._probe_left, self.count = False, False, 0


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
