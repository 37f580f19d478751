"""What requests will use and how long replies take, learned from those before. Pure."""

from collections import deque
from dataclasses import dataclass
from math import inf

from vcgen.engine.limits.per_limit import WINDOW_S


class AcceptedRate:
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


# A probe gets some times as long as late replies took before, or this, or a part of the time that
# its endpoint has been out: it may be slow to come back.
LEAST_PROBE_S, PROBE_TIMES, PROBE_PART = 10.0, 3.0, 0.25
WEIGHT = 0.05


@dataclass(slots=True)
class LatencyEstimate:
    """How long replies take, estimated as TCP does (RFC 6298): a mean and a mean deviation.

    Attributes:
        mean_s: infinite before the first.
    """

    mean_s: float = inf
    _deviation_s: float = 0.0

    def learn(self, took_s: float) -> None:
        """A reply took so long."""
        if self.mean_s == inf:
            self.mean_s, self._deviation_s = took_s, took_s / 2
            return
        error = took_s - self.mean_s
        self.mean_s += WEIGHT * error
        self._deviation_s += WEIGHT * (abs(error) - self._deviation_s)

    def probe_s(self, out_s: float) -> float:
        """Seconds to give the probe of an endpoint that has been out for so long."""
        late_s = self.mean_s + 4 * self._deviation_s
        return max(LEAST_PROBE_S, PROBE_TIMES * late_s, PROBE_PART * out_s)
