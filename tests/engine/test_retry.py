"""The table of what follows a failure."""

from typing import Literal

import pytest
from hypothesis import given, strategies as st

from vcgen.engine.chat import Failure
from vcgen.engine.retry import (
    ATTEMPTS,
    LONGEST_WAIT_S,
    Decision,
    Fail,
    Retry,
    Stop,
    Throttle,
    decide,
)
from vcgen.errors import Reason


def decided(
    status: int,
    code: str = "",
    *,
    wait: float | None = None,
    retry: bool | None = None,
    attempt: int = 1,
    message: str = "said",
) -> Decision:
    failure = Failure(
        status=status, code=code, message=message, retry_after_s=wait, should_retry=retry
    )
    return decide(failure, attempt, 0.5)


@pytest.mark.parametrize("status", [400, 404, 413, 422, 405, 451])
def test_a_refused_request_is_given_up_at_once(status: int) -> None:
    assert decided(status) == Fail(Reason.BAD_REQUEST)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, ""),
        (403, "anything"),
        (402, ""),
        (429, "insufficient_quota"),
        (400, "billing_hard_limit_reached"),
        (200, "insufficient_quota"),
        (404, "model_not_found"),
        (404, "NotFoundError"),
        *((status, "") for status in (301, 302, 303, 307, 308)),
    ],
)
def test_what_no_other_request_can_survive_stops_the_run(status: int, code: str) -> None:
    assert isinstance(decided(status, code), Stop)


@pytest.mark.parametrize(
    ("status", "code", "wait"),
    [
        (429, "", None),
        (429, "rate_limit_exceeded", 3.0),
        (529, "", None),
        (200, "overloaded_error", None),
        (503, "", 2.0),
    ],
)
def test_a_throttle_closes_the_gate_and_never_costs_an_attempt(
    status: int, code: str, wait: float | None
) -> None:
    for attempt in (1, ATTEMPTS, 100):
        assert decided(status, code, wait=wait, attempt=attempt) == Throttle(wait)


def test_a_wait_of_no_seconds_is_left_to_the_gate() -> None:
    assert decided(429, wait=0.0) == Throttle(None)


@pytest.mark.parametrize("status", [429, 503])
def test_who_asks_for_more_than_the_longest_wait_stops_the_run(status: int) -> None:
    assert isinstance(decided(status, wait=LONGEST_WAIT_S + 1), Stop)
    assert decided(status, wait=LONGEST_WAIT_S) == Throttle(LONGEST_WAIT_S)


def test_a_request_larger_than_a_minutes_tokens_is_given_up() -> None:
    too_large = "Request too large for m on tokens per min (TPM): Limit 10000, Requested 12000."
    assert decided(429, "rate_limit_exceeded", message=too_large) == Fail(Reason.PROMPT_TOO_LARGE)


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (500, "", Reason.SERVER_ERROR),
        (502, "", Reason.SERVER_ERROR),
        (503, "", Reason.SERVER_ERROR),
        (408, "", Reason.BAD_REQUEST),
        (409, "", Reason.BAD_REQUEST),
        (200, "invalid_response", Reason.INVALID_RESPONSE),
        (0, "connection_lost", Reason.NETWORK),
        (0, "timed_out", Reason.TIMEOUT),
    ],
)
def test_what_may_pass_is_tried_again_until_the_attempts_are_used_up(
    status: int, code: str, reason: Reason
) -> None:
    for attempt in range(1, ATTEMPTS):
        assert isinstance(decided(status, code, attempt=attempt), Retry)
    assert decided(status, code, attempt=ATTEMPTS) == Fail(reason)


def test_the_endpoints_word_on_retrying_wins() -> None:
    assert decided(500, retry=False) == Fail(Reason.SERVER_ERROR)
    assert isinstance(decided(400, retry=True), Retry)
    assert decided(0, "too_large", retry=False) == Fail(Reason.NETWORK)


def test_a_filter_and_an_answer_without_content_have_their_own_reasons() -> None:
    assert decided(400, "content_filter") == Fail(Reason.CONTENT_FILTER)
    assert decided(304) == Fail(Reason.INVALID_RESPONSE)


def test_a_retry_waits_as_long_as_asked_but_not_for_ever() -> None:
    assert decided(500, wait=45.0) == Retry(45.0)
    assert decided(500, wait=1e9) == Retry(LONGEST_WAIT_S)


@given(st.integers(1, ATTEMPTS - 1), st.floats(0, 1))
def test_a_retry_waits_at_most_half_a_minute_by_itself(attempt: int, draw: float) -> None:
    decision = decide(Failure(status=500, code="", message=""), attempt, draw)
    assert isinstance(decision, Retry)
    assert 0 <= decision.delay_s <= min(30, 0.5 * 2**attempt)


@given(
    st.integers(0, 999),
    st.text(max_size=20),
    st.none() | st.floats(0, 1e12),
    st.none() | st.booleans(),
    st.integers(1, 50),
)
def test_every_failure_comes_to_an_end(
    status: int, code: str, wait: float | None, retry: Literal[True, False] | None, attempt: int
) -> None:
    decision = decided(status, code, wait=wait, retry=retry, attempt=attempt)
    assert attempt < ATTEMPTS or not isinstance(decision, Retry)
