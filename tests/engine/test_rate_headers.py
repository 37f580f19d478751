"""What headers say of limits and waiting, as endpoints write them and as nobody should."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from vcgen.engine.limits.per_limit import PerLimit
from vcgen.engine.rate_headers import announced_limits, duration_s, retry_after

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given_headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1e9"}, 1e9),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 +" + "9" * 20}, None),
        ({"retry-after": "1 Jan 2026 99999999999999999999:00:00 GMT"}, None),
    ],
)
def test_retry_after_is_seconds_to_wait(
    given_headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(given_headers, NOW) == seconds


def test_a_date_counts_from_the_replys_own_date() -> None:
    dates = {
        "retry-after": "Thu, 01 Jan 1998 00:01:00 GMT",
        "date": "Thu, 01 Jan 1998 00:00:00 GMT",
    }
    assert retry_after(dates) == 60


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("20ms", 0.02), ("1.5s", 1.5), ("6m0s", 360), ("1h2m3s", 3723), ("", None), ("7", None)),
        *(("soon", None), ("1s later", None), ("-1s", None), ("9" * 5000 + "s", None)),
    ],
)
def test_durations_are_read_as_endpoints_write_them(text: str, seconds: float | None) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize(
    ("limit", "reset", "allowed"),
    [
        *(("6000", "10ms", 6000), ("6000", "1m0s", 6000), ("200", "7m12s", None)),
        *(("6000", "", None), ("many", "1s", None), ("0", "1s", None)),
    ],
)
def test_a_limit_is_announced_if_its_window_is_a_minute(
    limit: str, reset: str, allowed: int | None
) -> None:
    headers = {"x-ratelimit-limit-requests": limit, "x-ratelimit-reset-requests": reset}
    assert announced_limits(headers) == PerLimit(allowed, None, None, None)


@pytest.mark.parametrize(
    ("reset", "allowed"),
    [
        *(("2026-01-01T12:00:40Z", 4000), ("2026-01-01T12:00:40+00:00", 4000)),
        *(("2026-01-02T12:00:00Z", None), ("40s", None), ("", None)),
    ],
)
def test_anthropic_announces_input_and_output_apart(reset: str, allowed: int | None) -> None:
    headers = {"date": "Thu, 01 Jan 2026 12:00:00 GMT"}
    limits = {"requests": "4000", "tokens": "4000", "input-tokens": "4000", "output-tokens": "4000"}
    for what, limit in limits.items():
        headers[f"anthropic-ratelimit-{what}-limit"] = limit
        headers[f"anthropic-ratelimit-{what}-reset"] = reset
    assert announced_limits(headers) == PerLimit(*[allowed] * 4)


NAMES = st.sampled_from(
    [
        f"{vendor}{what}{field}"
        for vendor in ("x-ratelimit-limit-", "x-ratelimit-reset-", "anthropic-ratelimit-")
        for what in ("requests", "tokens", "input-tokens", "output-tokens")
        for field in ("", "-limit", "-reset")
    ]
    + ["date", "retry-after", "retry-after-ms"]
)


@given(st.dictionaries(NAMES, st.text(max_size=30)))
def test_no_header_raises_or_allows_nothing(
    headers: dict[str, str],
) -> None:
    assert all(limit is None or limit > 0 for limit in announced_limits(headers))
    assert (retry_after(headers) or 0) >= 0
