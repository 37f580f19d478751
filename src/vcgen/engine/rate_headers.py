"""Parse the limits and the Retry-After of a reply's headers. Pure."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from vcgen.engine.limits.per_limit import UNKNOWN, PerLimit

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d)")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_LONGEST_RESET_S = 61.0
_MOST_DIGITS = 12
_OPENAI = frozenset({"x-ratelimit-limit-requests", "x-ratelimit-limit-tokens"})
_REMAINING = (
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-tokens",
    "anthropic-ratelimit-requests-remaining",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-input-tokens-remaining",
    "anthropic-ratelimit-output-tokens-remaining",
)
_ANTHROPIC = ("requests", "tokens", "input-tokens", "output-tokens")


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait by `retry-after-ms` or `retry-after` (RFC 9110, 10.2.3), None without either.

    Garbage, negative and infinite values count as absent. `now` is for dates; the reply's own
    `date` header is taken without it, so that a wrong clock here does no harm.
    """
    milliseconds = _finite(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _finite(value)
    if seconds is not None or value is None:
        return seconds
    then, now = _date(value), now or _now(headers)
    return None if then is None else max(0.0, (then - now).total_seconds())


def nothing_remains(headers: Mapping[str, str]) -> bool:
    """Whether headers announce that no requests or no tokens of a limit remain."""
    return any(headers.get(name) == "0" for name in _REMAINING)


def announced_limits(headers: Mapping[str, str]) -> PerLimit[int | None]:
    """Parse the limits by the minute: `x-ratelimit-*` or `anthropic-ratelimit-*`.

    A limit whose reset is further away than a minute is one of an hour or a day, and left out.
    See https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers and
    https://docs.anthropic.com/en/api/rate-limits#response-headers.
    """
    if "anthropic-ratelimit-requests-limit" in headers:
        return PerLimit(*(_of_anthropic(headers, what) for what in _ANTHROPIC))
    if headers.keys().isdisjoint(_OPENAI):
        return UNKNOWN
    return PerLimit(_of_openai(headers, "requests"), _of_openai(headers, "tokens"), None, None)


def _of_openai(headers: Mapping[str, str], what: str) -> int | None:
    limit = headers.get(f"x-ratelimit-limit-{what}")
    return _allowed(limit, headers.get(f"x-ratelimit-reset-{what}", ""), duration_s)


def _of_anthropic(headers: Mapping[str, str], what: str) -> int | None:
    def until(reset: str) -> float | None:
        then = _rfc_3339(reset)
        return None if then is None else (then - _now(headers)).total_seconds()

    limit = headers.get(f"anthropic-ratelimit-{what}-limit")
    return _allowed(limit, headers.get(f"anthropic-ratelimit-{what}-reset", ""), until)


def _allowed(limit: str | None, reset: str, seconds: Callable[[str], float | None]) -> int | None:
    if limit is None or not (limit.isascii() and limit.isdigit()) or len(limit) > _MOST_DIGITS:
        return None
    reset_s = seconds(reset)
    return None if reset_s is None or reset_s > _LONGEST_RESET_S else int(limit) or None


def duration_s(text: str) -> float | None:
    """Seconds of a duration such as `20ms`, `1.5s`, `6m0s` or `1h2m3s`; None if invalid."""
    if not (parts := _DURATION.findall(text)) or "".join(map("".join, parts)) != text:
        return None
    return sum(float(number) * _UNIT_S[unit] for number, unit in parts)


def _now(headers: Mapping[str, str]) -> datetime:
    return _date(headers.get("date", "")) or datetime.now(UTC)


def _rfc_3339(value: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)


def _finite(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _date(value: str) -> datetime | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - 7 ms, rarely needed

    try:
        parsed = parsedate_to_datetime(value)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
