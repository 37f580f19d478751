"""Classify failures and decide how to go on: the only retry policy of vcgen. Pure.

| outcome               | decision                                                              |
|-----------------------|-----------------------------------------------------------------------|
| Throttled, Starved    | requeue at no cost; stop the run once nothing has got through for long |
| Stale                 | requeue at no cost, once a call; then as Failed                       |
| Stray                 | retry after its Retry-After; fail after `STRAYS`                       |
| Failed                | requeue if an outage explains it; else retry; fail after `ATTEMPTS`    |
| Unreachable           | requeue if an outage explains it; else retry at no cost, and never fail |
| Refused               | ask in a simpler way if there is one; ask again for what is unusable;  |
|                       | else fail                                                              |
| Disabled              | requeue if another endpoint is left; else stop the run                 |

What fails at one endpoint is asked at each other one before it counts (`AskElsewhere`). A rate
limit and an outage are the endpoint's, so they cost no attempt. Full jitter after
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
"""

from enum import StrEnum
from typing import NamedTuple

from vcgen.engine.chat import Failure, FailureKind
from vcgen.engine.config import Capabilities
from vcgen.engine.error_meaning import ErrorMeaning, meaning_of
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

# The official clients send three times within seconds; six attempts take some half a minute.
ATTEMPTS = 6
BASE_S, CAP_S = 0.5, 30.0
# At an endpoint that refuses half of all requests, one in a million is refused so often.
STRAYS = 20
# A longer Retry-After means a daily quota: stop the run, which can be continued.
LONGEST_WAIT_S = 600.0
REACH_AGAIN_S = 2.0
# An outage costs no attempt for this long. With a single endpoint, an outage and a request that
# always fails look the same.
FORGIVEN_S = 180.0

# Finagle's defaults: https://twitter.github.io/finagle/guide/Clients.html#retries
RETRIES_A_SUCCESS, RETRIES_A_SECOND, MOST_RETRIES = 0.2, 10.0, 100.0

# Any other sample would meet the same.
_HOPELESS = frozenset(
    {
        ErrorMeaning.KEY,
        ErrorMeaning.QUOTA,
        ErrorMeaning.MODEL,
        ErrorMeaning.REDIRECT,
        ErrorMeaning.ADDRESS,
        ErrorMeaning.CERTIFICATE,
    }
)
_ADVICE = {
    ErrorMeaning.REDIRECT: "; give the final address as the base URL",
    ErrorMeaning.ADDRESS: "; correct the base URL, which often ends in /v1",
}
# A reply without a completion, or a text that the server finds unusable, is asked for again.
UNUSABLE_ATTEMPTS = 3
# 424, 498 and 499 are those of TGI and Groq for what passes.
_PASSING = frozenset({0, 408, 409, 424, 425, 498, 499})
_OVERLOADED = frozenset({"rate_limit_exceeded", "rate_limit_error", "overloaded_error"})


class FailureReason(StrEnum):
    """Why a request has no answer."""

    PROMPT_TOO_LARGE = "prompt_too_large"
    BAD_REQUEST = "bad_request"
    SERVER_ERROR = "server_error"
    NETWORK = "network"
    TIMEOUT = "timeout"
    THROTTLED = "throttled"
    INVALID_RESPONSE = "invalid_response"
    CONTENT_FILTER = "content_filter"


_REASONS = {
    ErrorMeaning.PROMPT_TOO_LARGE: FailureReason.PROMPT_TOO_LARGE,
    ErrorMeaning.FILTERED: FailureReason.CONTENT_FILTER,
    ErrorMeaning.UNUSABLE_TEXT: FailureReason.INVALID_RESPONSE,
}


class Retry(NamedTuple):
    """Send the request again after `delay_s` seconds."""

    delay_s: float


class Requeue(NamedTuple):
    """Send the request again as soon as the limits allow, at no cost."""


class Downgrade(NamedTuple):
    """Ask again in a way that needs less of the endpoint."""

    capabilities: Capabilities


class Fail(NamedTuple):
    """Raise `RequestFailed`."""

    reason: FailureReason


class AskElsewhere(NamedTuple):
    """Ask an endpoint that has not failed this request; the reason counts if none is left."""

    reason: FailureReason


class StopRun(NamedTuple):
    """Stop everything: no other request can succeed."""

    message: str


Decision = Retry | Requeue | Downgrade | AskElsewhere | Fail | StopRun


class Situation(NamedTuple):
    """A failed request and its endpoints.

    Attributes:
        attempts: the request has used, this one included; throttles and outages do not count.
        strays: throttles it has met while others passed, this one included.
        stale: kept connections that it has lost, this one included.
        draw: random number in 0..1, for the jitter.
        downgrade: simpler way to ask, None without one.
        is_outage: an outage of the endpoint explains the failure.
        is_last: no other endpoint is left.
        has_peer: another endpoint is left that has not failed this request.
        stalled: why no endpoint can be waited for any longer, None while one can.
    """

    attempts: int = 1
    strays: int = 0
    stale: int = 0
    draw: float = 0.5
    downgrade: Capabilities | None = None
    is_outage: bool = False
    is_last: bool = True
    has_peer: bool = False
    stalled: str | None = None


def classify(failure: Failure, *, is_reached: bool = True, has_answered: bool = True) -> Outcome:
    """The outcome to report for a failure.

    Args:
        failure: of a request.
        is_reached: the endpoint has replied before, if only by an error.
        has_answered: it has answered before.
    """
    meaning = meaning_of(failure, has_answered=has_answered)
    if meaning in _HOPELESS:
        advice = _ADVICE.get(meaning, "")
        status = f" ({failure.status})" if failure.status else ""
        return Disabled(f"{meaning.value}{status}: {failure.message}{advice}")
    if meaning is not ErrorMeaning.OTHER:
        return Refused()
    if failure.kind is FailureKind.STALE_CONNECTION:
        return Stale()
    if failure.kind is FailureKind.LOCAL:
        return Starved()
    if failure.kind is FailureKind.NO_CONNECTION:
        return Unreachable(None if is_reached else REACH_AGAIN_S)
    if _is_throttle(failure):
        wait_s = failure.retry_after_s
        if wait_s is not None and wait_s > LONGEST_WAIT_S:
            return Disabled(f"the endpoint asks to wait {wait_s:.0f} s: {failure.message}")
        # Zero seconds would open the limiter to the next refusal at once.
        return Throttled(wait_s or None, failure.is_exhausted)
    # Status 200 is never an outage: the endpoint works.
    if failure.status == 200 or failure.should_retry is False or not _is_transient(failure):
        return Refused()
    return Failed(has_replied=failure.status > 0)


def decide(failure: Failure, outcome: Outcome, situation: Situation) -> Decision:
    """Decide how to go on after a failure, by the table of this module."""
    if isinstance(outcome, Disabled):
        return StopRun(outcome.message) if situation.is_last else Requeue()
    if situation.stalled is not None:
        return StopRun(situation.stalled)
    if (free := _at_no_cost(outcome, situation)) is not None:
        return free
    if situation.downgrade is not None and isinstance(outcome, Refused | Failed):
        return Downgrade(situation.downgrade)
    if isinstance(outcome, Refused):
        if _is_unusable(failure) and situation.attempts < UNUSABLE_ATTEMPTS:
            return Retry(_jittered_s(situation.attempts, situation.draw))
        return _final(reason_of(failure), situation)
    if isinstance(outcome, Stray):
        if situation.strays >= STRAYS:
            return _final(FailureReason.THROTTLED, situation)
        return Retry(outcome.retry_after_s or _jittered_s(situation.strays, situation.draw))
    if situation.attempts >= ATTEMPTS and not isinstance(outcome, Unreachable):
        return _final(reason_of(failure), situation)
    hint_s = min(failure.retry_after_s or 0.0, LONGEST_WAIT_S)
    return Retry(max(_jittered_s(situation.attempts, situation.draw), hint_s))


def _at_no_cost(outcome: Outcome, situation: Situation) -> Requeue | None:
    """How to go on where the request is not to blame, None where it may be."""
    if isinstance(outcome, Throttled | Starved):
        return Requeue()
    is_first_stale = isinstance(outcome, Stale) and situation.stale <= 1
    is_explained = isinstance(outcome, Failed | Unreachable | Stale) and situation.is_outage
    return Requeue() if is_first_stale or is_explained else None


def reason_of(failure: Failure) -> FailureReason:
    """The reason to give for a failure that is final."""
    meaning = meaning_of(failure, has_answered=True)
    if meaning in _REASONS:
        return _REASONS[meaning]
    if failure.kind is FailureKind.TIMED_OUT:
        return FailureReason.TIMEOUT
    if failure.status == 0:
        return FailureReason.NETWORK
    if failure.status == 200 or 300 <= failure.status < 400:
        return FailureReason.INVALID_RESPONSE
    return FailureReason.SERVER_ERROR if failure.status >= 500 else FailureReason.BAD_REQUEST


def _final(reason: FailureReason, situation: Situation) -> AskElsewhere | Fail:
    return AskElsewhere(reason) if situation.has_peer else Fail(reason)


def _jittered_s(count: int, draw: float) -> float:
    return draw * float(min(CAP_S, BASE_S * 2**count))


def _is_throttle(failure: Failure) -> bool:
    return (
        failure.status in {429, 529}
        or failure.code in _OVERLOADED
        or (failure.status == 503 and failure.retry_after_s is not None)
    )


def _is_transient(failure: Failure) -> bool:
    passes = failure.status in _PASSING or failure.status >= 500
    return failure.should_retry is True or passes


def _is_unusable(failure: Failure) -> bool:
    is_text = meaning_of(failure, has_answered=True) is ErrorMeaning.UNUSABLE_TEXT
    return is_text or failure.status == 200


class RetryBudget:
    """Delays retries so that they never become most of the load."""

    def __init__(self) -> None:
        self._left = MOST_RETRIES
        self._at = float("-inf")

    def earn(self) -> None:
        """Earn part of a retry by a success."""
        self._left = min(MOST_RETRIES, self._left + RETRIES_A_SUCCESS)

    def spend(self, now: float) -> float:
        """Spend one retry; returns the seconds to wait before it."""
        earned = (now - self._at) * RETRIES_A_SECOND
        self._left, self._at = min(MOST_RETRIES, self._left + earned) - 1, now
        return max(0.0, -self._left / RETRIES_A_SECOND)
