"""Estimates learned from earlier requests: accepted rate, tokens, latency. Pure."""

from collections import deque
from dataclasses import dataclass
from math import inf

from vcgen.engine.chat import Usage
from vcgen.engine.limits.per_limit import WINDOW_S
from vcgen.engine.limits.permit import Completed, Outcome, Permit, RequestSize


class AcceptedRate:
    """The amount an endpoint accepted over the last minute, kept by whole seconds."""

    def __init__(self) -> None:
        self._total = 0.0
        self._seconds: deque[list[float]] = deque()

    def add(self, sent_at: float, amount: float) -> None:
        """Count a request that was sent as accepted."""
        if not self._seconds or sent_at >= self._seconds[-1][0] + 1:
            self._forget(sent_at)
            self._seconds.append([int(sent_at), 0.0])
        self._seconds[-1][1] += amount
        self._total += amount

    def remove(self, sent_at: float, amount: float) -> None:
        """Discount a request that was refused."""
        for entry in reversed(self._seconds):
            if entry[0] <= sent_at:
                if sent_at < entry[0] + 1:
                    entry[1] -= amount
                    self._total -= amount
                return

    def scale(self, factor: float) -> None:
        """Change the unit."""
        self._seconds = deque([second, amount * factor] for second, amount in self._seconds)
        self._total *= factor

    def per_minute(self, now: float, since: float) -> float:
        """The rate over the last minute, or since `since` if that is less."""
        self._forget(now)
        return max(0.0, self._total) * WINDOW_S / min(max(now - since, 1.0), WINDOW_S)

    def _forget(self, now: float) -> None:
        while self._seconds and self._seconds[0][0] <= now - WINDOW_S:
            self._total -= self._seconds.popleft()[1]


# One request in twenty weighs as much as all before it: follows a change within a few dozen.
WEIGHT = 0.05
# English has some four bytes a token; a third is on the safe side, also for JSON's escapes.
TOKENS_PER_BYTE = 0.33


@dataclass(slots=True)
class TokenEstimate:
    """Tokens that a request will use; the whole room for the reply before any has come."""

    prompt_per_byte: float = TOKENS_PER_BYTE
    completion: float | None = None

    def of(self, size: RequestSize) -> tuple[int, int]:
        """Estimated tokens of the prompt and of the reply."""
        room = size.max_tokens
        reply = room if self.completion is None else min(self.completion, room)
        return int(size.prompt_bytes * self.prompt_per_byte) + 1, int(reply)

    def learn(self, prompt_bytes: int, usage: Usage) -> None:
        """Learn from a request's use; counts of 0 are unknown."""
        if usage.prompt_tokens and prompt_bytes:
            self.prompt_per_byte += WEIGHT * (
                usage.prompt_tokens / prompt_bytes - self.prompt_per_byte
            )
        if tokens := usage.completion_tokens:
            before = tokens if self.completion is None else self.completion
            self.completion = before + WEIGHT * (tokens - before)


# A probe of an endpoint that is out gets three times a late reply, or ten seconds, or a quarter of
# the outage: servers are slow after a restart.
LEAST_PROBE_S, PROBE_TIMES, PROBE_PART = 10.0, 3.0, 0.25


@dataclass(slots=True)
class LatencyEstimate:
    """Latency of replies as TCP estimates it (RFC 6298): a mean and a mean deviation.

    Attributes:
        mean_s: infinite before the first reply.
    """

    mean_s: float = inf
    _deviation_s: float = 0.0

    def on_acquire(self, permit: Permit, now: float) -> None:
        """Learn nothing."""

    def on_release(self, permit: Permit, outcome: Outcome, now: float) -> None:
        """Learn the latency of an answer."""
        if isinstance(outcome, Completed):
            self.learn(now - permit.sent_at)

    def learn(self, latency_s: float) -> None:
        """Learn a latency."""
        if self.mean_s == inf:
            self.mean_s, self._deviation_s = latency_s, latency_s / 2
            return
        error = latency_s - self.mean_s
        self.mean_s += WEIGHT * error
        self._deviation_s += WEIGHT * (abs(error) - self._deviation_s)

    @property
    def late_s(self) -> float:
        """Seconds after which few replies come; infinite before the first."""
        return self.mean_s + 4 * self._deviation_s

    def probe_s(self, outage_s: float) -> float:
        """Seconds to give a probe of an endpoint that has been out for `outage_s`."""
        return max(LEAST_PROBE_S, PROBE_TIMES * self.late_s, PROBE_PART * outage_s)
