"""The limits of the simulated endpoint, and the headers that announce them.

Time is an argument, in seconds; 0 is the time `CREATED`.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple, get_args

from vcgen.errors import UsageError
from vcgen.sim.rate_windows import (
    WINDOW_S,
    FixedWindow,
    RateWindow,
    RefillingBucket,
    SlidingWindow,
)

# A constant, so that the same request brings the same bytes: 2026-01-01T00:00:00Z.
CREATED = 1_767_225_600


Kind = Literal["sliding", "fixed", "bucket", "strict"]
Headers = Literal["openai", "anthropic", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """The limits per minute, and the way replies announce them.

    Attributes:
        rpm: requests, None for any number; the same holds for the next three.
        tpm: tokens of prompts and replies together.
        input_tpm: tokens of prompts, without those found in the prefix cache.
        output_tpm: tokens of replies.
        kind: `sliding` counts any 60 s, `fixed` minutes of the clock. `bucket` refills evenly and
            holds `burst_s`. `strict` allows no burst: a request every 60 / rpm s.
        burst_s: size of the bucket in seconds of refill: 60 holds a minute's limit.
        headers: the provider whose headers announce the limits.
        retry_after: whether a 429 has `Retry-After`.
        refusal_s: latency of a 429.

    Raises:
        UsageError: a limit below 1, seconds below 0, or an unknown kind.
    """

    rpm: int | None = None
    tpm: int | None = None
    input_tpm: int | None = None
    output_tpm: int | None = None
    kind: Kind = "sliding"
    burst_s: float = WINDOW_S
    headers: Headers = "openai"
    retry_after: bool = True
    refusal_s: float = 0.05

    def __post_init__(self) -> None:
        for name in ("rpm", "tpm", "input_tpm", "output_tpm"):
            require_count(name, getattr(self, name))
        require_one_of("kind", self.kind, get_args(Kind))
        require_one_of("headers", self.headers, get_args(Headers))
        require_seconds("burst_s", self.burst_s)
        require_seconds("refusal_s", self.refusal_s)


def require_count(name: str, count: int | None) -> None:
    """Refuse a count below 1; None stands for no limit.

    Raises:
        UsageError: with the name and the count.
    """
    if count is not None and count < 1:
        raise UsageError(f"sim: {name} is {count}, not 1 or more; leave it out for no limit")


def require_one_of(name: str, value: str, choices: Sequence[str]) -> None:
    """Refuse an unknown word.

    Raises:
        UsageError: with the words to choose from.
    """
    if value not in choices:
        raise UsageError(f"sim: {name} is {value!r}; there are: {', '.join(choices)}")


def require_seconds(name: str, seconds: float) -> None:
    """Refuse a negative or infinite duration.

    Raises:
        UsageError: with the name and the seconds.
    """
    if not (math.isfinite(seconds) and seconds >= 0):
        raise UsageError(f"sim: {name} is {seconds} s, not 0 or more")


class RateExceeded(NamedTuple):
    """A limit without room: its name and size, the amount counted, seconds until there is room."""

    name: str
    limit: int
    used: int
    wait_s: float


class _Announced(NamedTuple):
    """A window and the names of its headers."""

    window: RateWindow
    limit: str
    remaining: str
    reset: str


class RateWindows:
    """The windows of all limits of one endpoint.

    Amounts are by name: `requests`, `tokens`, `input-tokens`, `output-tokens`. Amounts without a
    limit are not counted.
    """

    def __init__(self, limits: ServerLimits) -> None:
        given = {
            "requests": limits.rpm,
            "tokens": limits.tpm,
            "input-tokens": limits.input_tpm,
            "output-tokens": limits.output_tpm,
        }
        self._given = {name: limit for name, limit in given.items() if limit is not None}
        self._windows = {name: _window(limits, limit) for name, limit in self._given.items()}
        self._style = _STYLES[limits.headers]
        self._announced = [
            _Announced(
                window, *(self._style.header.format(part=part, name=name) for part in _PARTS)
            )
            for name, window in self._windows.items()
            if name in self._style.limits
        ]

    def exceeded(self, amounts: Mapping[str, int], now: float) -> RateExceeded | None:
        """The limit with the longest wait for the amounts, None if all have room."""
        worst: RateExceeded | None = None
        for name, amount in amounts.items():
            if (window := self._windows.get(name)) is None:
                continue
            wait_s = window.wait_s(amount, now)
            if wait_s > (worst.wait_s if worst else 0.0):
                worst = RateExceeded(name, window.limit, window.usage(now)[0], wait_s)
        return worst

    def take(self, amounts: Mapping[str, int], now: float) -> None:
        """Count the amounts at this time."""
        for name, amount in amounts.items():
            if amount and (window := self._windows.get(name)) is not None:
                window.take(amount, now)

    def scale(self, factor: float) -> None:
        """Change the limits to `factor` times the given ones, each at least 1."""
        for name, window in self._windows.items():
            window.limit = max(1, round(self._given[name] * factor))

    def announce(self, headers: dict[str, str], now: float) -> None:
        """Add the state of the limits to the headers of a reply."""
        for window, limit, remaining, reset in self._announced:
            used, reset_s = window.usage(now)
            headers[limit] = str(window.limit)
            headers[remaining] = str(max(0, window.limit - used))
            headers[reset] = self._style.reset(reset_s, now)


def _window(limits: ServerLimits, limit: int) -> RateWindow:
    if limits.kind == "sliding":
        return SlidingWindow(limit)
    if limits.kind == "fixed":
        return FixedWindow(limit)
    return RefillingBucket(limit, limits.burst_s if limits.kind == "bucket" else 0.0)


def _as_duration(seconds: float, now: float) -> str:  # noqa: ARG001 - as `_as_date`
    """As OpenAI writes it: `20ms`, `1.5s`, `1m0s`."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))}ms"
    minutes, rest = divmod(round(seconds, 3), 60)
    return f"{int(minutes)}m{rest:g}s" if minutes else f"{rest:g}s"


def _as_date(seconds: float, now: float) -> str:
    """As Anthropic writes it, in RFC 3339: never before that moment."""
    then = datetime.fromtimestamp(CREATED + math.ceil(now + seconds), UTC)
    return f"{then:%Y-%m-%dT%H:%M:%SZ}"


class _Style(NamedTuple):
    """Names of headers, the limits that have them, and the format of resets."""

    header: str
    limits: Collection[str]
    reset: Callable[[float, float], str]


_PARTS = _Announced._fields[1:]
_STYLES = {
    "openai": _Style("x-ratelimit-{part}-{name}", {"requests", "tokens"}, _as_duration),
    "anthropic": _Style(
        "anthropic-ratelimit-{name}-{part}",
        {"requests", "tokens", "input-tokens", "output-tokens"},
        _as_date,
    ),
    "none": _Style("", (), _as_duration),
}
