"""What to do after a request failed: one pure function, the only retry policy in vcgen.

A rate limit is a property of the endpoint and not of the request, so it never costs an attempt, and
neither does an endpoint that cannot be reached.
Full jitter after https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
"""

from typing import NamedTuple

from vcgen.engine.chat import Failure
from vcgen.errors import Reason

# Twitter's Finagle allows as many: https://twitter.github.io/finagle/guide/Clients.html#retries
RETRIES_A_SUCCESS, RETRIES_A_SECOND, MOST_RETRIES = 0.2, 10.0, 100.0

ATTEMPTS = 6
BASE_S, CAP_S = 0.5, 30.0
# An endpoint that asks for more patience than this means a daily quota: stop, continue later.
LONGEST_WAIT_S = 600.0

_NO_MORE_MONEY = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_credits",
    }
)
# The second is vLLM's.
_NO_SUCH_MODEL = frozenset({"model_not_found", "NotFoundError"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OVERLOADED = frozenset({"rate_limit_exceeded", "rate_limit_error", "overloaded_error"})


class Throttle(NamedTuple):
    """Close the endpoint's gate for everybody; None leaves the time to the gate."""

    delay_s: float | None


class Unreachable(NamedTuple):
    """The endpoint is not there: close its gate until it is."""


class Retry(NamedTuple):
    """Send this request once more after `delay_s` seconds, which costs it an attempt."""

    delay_s: float


class Fail(NamedTuple):
    """End this request; the sample becomes a reject."""

    reason: Reason


class Stop(NamedTuple):
    """Give up this endpoint: no other request can succeed there either."""

    message: str


Decision = Throttle | Unreachable | Retry | Fail | Stop


def decide(failure: Failure, attempt: int, draw: float) -> Decision:
    """What follows a failure.

    Args:
        failure: what came back.
        attempt: how many attempts this request has used up, this one included, rate limits not.
        draw: a random number in 0..1, for the jitter.
    """
    if (message := _hopeless(failure)) is not None:
        return Stop(message)
    if _is_too_large(failure):
        return Fail(Reason.PROMPT_TOO_LARGE)
    if failure.code == "connect_failed":
        return Unreachable()
    if _is_throttle(failure):
        return _throttle(failure)
    if failure.should_retry is False or not _is_transient(failure):
        return Fail(_reason(failure))
    if attempt >= ATTEMPTS:
        return Fail(_reason(failure))
    delay_s = draw * min(CAP_S, BASE_S * 2**attempt)
    return Retry(max(delay_s, min(failure.retry_after_s or 0.0, LONGEST_WAIT_S)))


def _hopeless(failure: Failure) -> str | None:
    status, code = failure.status, failure.code
    if status in {401, 403}:
        return f"the endpoint refuses the key ({status}): {failure.message}"
    if status == 402 or code in _NO_MORE_MONEY:
        return f"the account has no quota left ({status}): {failure.message}"
    if status == 404 and code in _NO_SUCH_MODEL:
        return f"the endpoint has no such model (404): {failure.message}"
    if status in _REDIRECTS:
        said = f"the endpoint redirects ({status}): {failure.message}"
        return f"{said}; nothing is sent there: give the address that answers itself"
    return None


def _is_too_large(failure: Failure) -> bool:
    """Whether this is OpenAI's 429 for a request larger than a whole minute's tokens."""
    return failure.status == 429 and failure.message.lower().startswith("request too large")


def _is_throttle(failure: Failure) -> bool:
    return (
        failure.status in {429, 529}
        or failure.code in _OVERLOADED
        or (failure.status == 503 and failure.retry_after_s is not None)
    )


def _throttle(failure: Failure) -> Throttle | Stop:
    wait_s = failure.retry_after_s
    if wait_s is not None and wait_s > LONGEST_WAIT_S:
        return Stop(f"the endpoint asks to wait {wait_s:.0f} s: {failure.message}")
    # Zero seconds would open the gate to the next refusal at once.
    return Throttle(wait_s or None)


def _is_transient(failure: Failure) -> bool:
    return (
        failure.should_retry is True
        or failure.status in {0, 200, 408, 409}
        or failure.status >= 500
    )


def _reason(failure: Failure) -> Reason:
    by_code = {"timed_out": Reason.TIMEOUT, "content_filter": Reason.CONTENT_FILTER}
    if failure.code in by_code:
        return by_code[failure.code]
    if failure.status == 0:
        return Reason.NETWORK
    if failure.status == 200 or 300 <= failure.status < 400:
        return Reason.INVALID_RESPONSE
    return Reason.SERVER_ERROR if failure.status >= 500 else Reason.BAD_REQUEST


class RetryBudget:
    """How many failed requests are sent again, so that retries never become most of the load."""

    def __init__(self) -> None:
        self._left = MOST_RETRIES
        self._at = float("-inf")

    def passed(self) -> None:
        """A request succeeded."""
        self._left = min(MOST_RETRIES, self._left + RETRIES_A_SUCCESS)

    def take(self, now: float) -> float:
        """Seconds to wait before one more; whoever asks first waits least."""
        earned = (now - self._at) * RETRIES_A_SECOND
        self._left, self._at = min(MOST_RETRIES, self._left + earned) - 1, now
        return max(0.0, -self._left / RETRIES_A_SECOND)
