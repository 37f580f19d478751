"""The table of outcomes and decisions after a failure, and the budget of retries."""

from typing import Literal

import pytest
from hypothesis import given, strategies as st

from vcgen.engine.chat import Failure, FailureKind
from vcgen.engine.config import Capabilities, Structured
from vcgen.engine.limits.permit import (
    Disabled,
    Failed,
    Outcome,
    Refused,
    Stale,
    Starved,
    Stray,
    Throttled,
    Unreachable,
)
from vcgen.engine.retry import (
    ATTEMPTS,
    LONGEST_WAIT_S,
    MOST_RETRIES,
    REACH_AGAIN_S,
    RETRIES_A_SECOND,
    RETRIES_A_SUCCESS,
    STRAYS,
    UNUSABLE_ATTEMPTS,
    AskElsewhere,
    Decision,
    Downgrade,
    Fail,
    FailureReason,
    Requeue,
    Retry,
    RetryBudget,
    Situation,
    StopRun,
    classify,
    decide,
)

ERROR = FailureKind.ERROR_REPLY


def fail(
    status: int,
    code: str = "",
    *,
    kind: FailureKind = ERROR,
    wait: float | None = None,
    retry: bool | None = None,
    is_exhausted: bool = False,
    message: str = "No.",
) -> Failure:
    return Failure(
        status=status,
        code=code,
        message=message,
        kind=kind,
        retry_after_s=wait,
        should_retry=retry,
        is_exhausted=is_exhausted,
    )


def follow(failure: Failure, situation: Situation = Situation()) -> Decision:
    return decide(failure, classify(failure), situation)


@pytest.mark.parametrize("status", [400, 404, 422, 405])
def test_refused_request_fails_at_once(status: int) -> None:
    assert classify(fail(status)) == Refused()
    assert follow(fail(status)) == Fail(FailureReason.BAD_REQUEST)


@pytest.mark.parametrize(
    ("failure", "situation", "reason"),
    [
        (fail(404), Situation(), FailureReason.BAD_REQUEST),
        (fail(400, "content_filter"), Situation(), FailureReason.CONTENT_FILTER),
        (
            fail(429, message="Request too large for this model"),
            Situation(),
            FailureReason.PROMPT_TOO_LARGE,
        ),
        (fail(500), Situation(attempts=ATTEMPTS), FailureReason.SERVER_ERROR),
    ],
)
def test_final_failure_is_asked_elsewhere_while_a_peer_is_left(
    failure: Failure, situation: Situation, reason: FailureReason
) -> None:
    assert follow(failure, situation._replace(has_peer=True)) == AskElsewhere(reason)
    assert follow(failure, situation) == Fail(reason)


def test_stray_is_asked_elsewhere_after_its_last_retry() -> None:
    failure, outcome = fail(429), Stray(None)
    situation = Situation(strays=STRAYS, has_peer=True)
    assert decide(failure, outcome, situation) == AskElsewhere(FailureReason.THROTTLED)


HOPELESS = [
    (401, ""),
    (402, ""),
    (429, "insufficient_quota"),
    (400, "billing_hard_limit_reached"),
    (200, "insufficient_quota"),
    (404, "model_not_found"),
    (404, "NotFoundError"),
    *((status, "") for status in (301, 302, 303, 307, 308)),
]


@pytest.mark.parametrize(("status", "code"), HOPELESS)
def test_hopeless_endpoint_is_disabled_and_the_last_stops(status: int, code: str) -> None:
    assert isinstance(classify(fail(status, code)), Disabled)
    assert isinstance(follow(fail(status, code)), StopRun)
    assert follow(fail(status, code), Situation(is_last=False)) == Requeue()


THROTTLES = [
    (429, "", None),
    (429, "rate_limit_exceeded", 3.0),
    (529, "", None),
    (200, "overloaded_error", None),
    (503, "", 2.0),
]


@pytest.mark.parametrize(("status", "code", "wait"), THROTTLES)
def test_throttle_costs_no_attempt(status: int, code: str, wait: float | None) -> None:
    failure = fail(status, code, wait=wait)
    assert classify(failure) == Throttled(wait)
    for attempts in (1, ATTEMPTS, 100):
        assert follow(failure, Situation(attempts)) == Requeue()


def test_throttle_of_no_seconds_is_left_to_the_backoff() -> None:
    assert classify(fail(429, wait=0.0)) == Throttled(None)


def test_throttle_is_certain_where_nothing_remains() -> None:
    assert classify(fail(429, wait=2.0, is_exhausted=True)) == Throttled(2.0, is_exhausted=True)


@pytest.mark.parametrize("status", [429, 503])
def test_wait_above_the_longest_stops_the_run(status: int) -> None:
    assert isinstance(follow(fail(status, wait=LONGEST_WAIT_S + 1)), StopRun)
    assert classify(fail(status, wait=LONGEST_WAIT_S)) == Throttled(LONGEST_WAIT_S)


def test_stray_is_retried_after_its_hint_until_they_are_many() -> None:
    failure = fail(429, wait=2.0)
    for strays in range(1, STRAYS):
        assert decide(failure, Stray(2.0), Situation(100, strays)) == Retry(2.0)
        assert isinstance(decide(failure, Stray(None), Situation(1, strays)), Retry)
    assert decide(failure, Stray(2.0), Situation(1, STRAYS)) == Fail(FailureReason.THROTTLED)


def test_request_larger_than_a_minutes_tokens_fails() -> None:
    too_large = "Request too large for m on tokens per min (TPM): Limit 10000, Requested 12000."
    failure = fail(429, "rate_limit_exceeded", message=too_large)
    assert follow(failure) == Fail(FailureReason.PROMPT_TOO_LARGE)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (fail(500), FailureReason.SERVER_ERROR),
        (fail(502), FailureReason.SERVER_ERROR),
        (fail(503), FailureReason.SERVER_ERROR),
        (fail(408), FailureReason.BAD_REQUEST),
        (fail(409), FailureReason.BAD_REQUEST),
        (fail(424), FailureReason.BAD_REQUEST),
        (fail(425), FailureReason.BAD_REQUEST),
        (fail(498), FailureReason.BAD_REQUEST),
        (fail(499), FailureReason.BAD_REQUEST),
        (fail(0, kind=FailureKind.CONNECTION_LOST), FailureReason.NETWORK),
        (fail(0, kind=FailureKind.TIMED_OUT), FailureReason.TIMEOUT),
    ],
)
def test_transient_failure_is_retried_until_attempts_end(
    failure: Failure, reason: FailureReason
) -> None:
    assert classify(failure) == Failed(has_replied=failure.status > 0)
    for attempts in range(1, ATTEMPTS):
        assert isinstance(follow(failure, Situation(attempts)), Retry)
    assert follow(failure, Situation(ATTEMPTS)) == Fail(reason)


def test_failure_in_an_outage_costs_no_attempt() -> None:
    assert follow(fail(500), Situation(ATTEMPTS, is_outage=True)) == Requeue()


@pytest.mark.parametrize(("is_reached", "wait_s"), [(False, REACH_AGAIN_S), (True, None)])
def test_no_connection_costs_no_attempt(wait_s: float | None, *, is_reached: bool) -> None:
    failure = fail(0, kind=FailureKind.NO_CONNECTION)
    assert classify(failure, is_reached=is_reached) == Unreachable(wait_s)
    assert follow(failure, Situation(ATTEMPTS, is_outage=True)) == Requeue()
    assert follow(failure, Situation(draw=1.0)) == Retry(1.0)
    assert isinstance(follow(failure, Situation(ATTEMPTS)), Retry)


def test_stale_connection_is_free_once_a_call() -> None:
    failure = fail(0, kind=FailureKind.STALE_CONNECTION)
    assert classify(failure) == Stale()
    assert follow(failure, Situation(ATTEMPTS, stale=1)) == Requeue()
    assert isinstance(follow(failure, Situation(1, stale=2)), Retry)
    assert follow(failure, Situation(ATTEMPTS, stale=2)) == Fail(FailureReason.NETWORK)


def test_want_of_descriptors_costs_no_attempt() -> None:
    failure = fail(0, kind=FailureKind.LOCAL)
    assert classify(failure) == Starved()
    assert follow(failure, Situation(ATTEMPTS)) == Requeue()


def test_bad_certificate_disables_at_once() -> None:
    failure = fail(0, kind=FailureKind.BAD_CERTIFICATE, message="it has expired")
    for is_reached in (False, True):
        outcome = classify(failure, is_reached=is_reached)
        assert outcome == Disabled("the endpoint's certificate cannot be verified: it has expired")


@pytest.mark.parametrize(
    "failure",
    [
        fail(429),
        fail(0, kind=FailureKind.NO_CONNECTION),
        fail(0, kind=FailureKind.LOCAL),
        fail(500),
    ],
    ids=str,
)
def test_endpoint_without_an_answer_for_too_long_stops(failure: Failure) -> None:
    assert follow(failure, Situation(stalled="for ever")) == StopRun("for ever")


def test_simpler_way_is_asked_if_there_is_one() -> None:
    simpler = Capabilities(Structured.PROMPT)
    situation = Situation(ATTEMPTS, downgrade=simpler)
    assert follow(fail(400), situation) == Downgrade(simpler)
    assert follow(fail(500), situation) == Downgrade(simpler)
    assert follow(fail(500), situation._replace(is_outage=True)) == Requeue()


@pytest.mark.parametrize("failure", [fail(200), fail(400, "json_validate_failed")])
def test_unusable_reply_is_asked_for_three_times_and_is_no_outage(failure: Failure) -> None:
    assert classify(failure) == Refused()
    for attempts in range(1, UNUSABLE_ATTEMPTS):
        assert isinstance(follow(failure, Situation(attempts)), Retry)
    assert follow(failure, Situation(UNUSABLE_ATTEMPTS)) == Fail(FailureReason.INVALID_RESPONSE)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (fail(413), FailureReason.PROMPT_TOO_LARGE),
        (fail(413, "rate_limit_exceeded"), FailureReason.PROMPT_TOO_LARGE),
        (fail(400, "context_length_exceeded"), FailureReason.PROMPT_TOO_LARGE),
        (fail(403), FailureReason.CONTENT_FILTER),
        (fail(451), FailureReason.CONTENT_FILTER),
    ],
)
def test_one_prompts_refusal_is_its_own(failure: Failure, reason: FailureReason) -> None:
    assert follow(failure) == Fail(reason)


@pytest.mark.parametrize("status", [403, 404, 405])
def test_status_before_any_answer_is_the_configurations(status: int) -> None:
    assert isinstance(classify(fail(status), has_answered=False), Disabled)
    assert classify(fail(status), has_answered=True) == Refused()


def test_endpoints_word_on_retrying_wins() -> None:
    assert follow(fail(500, retry=False)) == Fail(FailureReason.SERVER_ERROR)
    assert isinstance(follow(fail(400, retry=True)), Retry)
    too_large = fail(0, kind=FailureKind.REPLY_TOO_LARGE, retry=False)
    assert follow(too_large) == Fail(FailureReason.NETWORK)


def test_filter_and_empty_answer_have_their_own_reasons() -> None:
    assert follow(fail(400, "content_filter")) == Fail(FailureReason.CONTENT_FILTER)
    assert follow(fail(304)) == Fail(FailureReason.INVALID_RESPONSE)


def test_retry_waits_as_asked_but_not_for_ever() -> None:
    assert follow(fail(500, wait=45.0)) == Retry(45.0)
    assert follow(fail(500, wait=1e9)) == Retry(LONGEST_WAIT_S)


@given(st.integers(1, ATTEMPTS - 1), st.floats(0, 1))
def test_retry_waits_half_a_minute_at_most_by_itself(attempts: int, draw: float) -> None:
    decision = follow(fail(500), Situation(attempts, draw=draw))
    assert isinstance(decision, Retry)
    assert 0 <= decision.delay_s <= min(30, 0.5 * 2**attempts)


FAILURES = st.builds(
    fail,
    st.integers(0, 999),
    st.text(max_size=20),
    kind=st.sampled_from(FailureKind),
    wait=st.none() | st.floats(0, 1e12),
    retry=st.none() | st.booleans(),
)


@given(FAILURES, st.integers(1, 50))
def test_every_failure_comes_to_an_end(failure: Failure, attempts: int) -> None:
    """But refused connections: if all are, they become an outage."""
    decision = follow(failure, Situation(attempts))
    is_unreachable = isinstance(classify(failure), Unreachable)
    assert attempts < ATTEMPTS or is_unreachable or not isinstance(decision, Retry)


@given(FAILURES, st.booleans())
def test_no_failure_is_a_success(failure: Failure, is_reached: Literal[True, False]) -> None:
    outcome: Outcome = classify(failure, is_reached=is_reached)
    possible = Disabled | Failed | Refused | Stale | Starved | Throttled | Unreachable
    assert isinstance(outcome, possible)


def test_many_retries_wait_for_successes() -> None:
    budget = RetryBudget()
    assert all(budget.spend(0.0) == 0 for _ in range(int(MOST_RETRIES)))
    assert budget.spend(0.0) == pytest.approx(1 / RETRIES_A_SECOND)
    for _ in range(round(2 / RETRIES_A_SUCCESS)):
        budget.earn()
    assert budget.spend(0.0) == 0


@given(st.lists(st.floats(0, 3), min_size=1, max_size=300))
def test_no_second_holds_more_retries_than_the_budget(gaps: list[float]) -> None:
    budget, now, sent = RetryBudget(), 0.0, []
    for gap in gaps:
        now += gap / 50
        sent.append(now + budget.spend(now))
    assert sent == sorted(sent)
    for at, first in enumerate(sent):
        within = sum(1 for other in sent[at:] if other < first + 1)
        assert within <= MOST_RETRIES + RETRIES_A_SECOND + 1
