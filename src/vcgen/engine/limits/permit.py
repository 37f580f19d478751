"""A permit to send one request, and the outcome that its release reports."""

from typing import TYPE_CHECKING, NamedTuple

from vcgen.engine.chat import Usage
from vcgen.engine.limits.per_limit import PerLimit

if TYPE_CHECKING:
    from vcgen.engine.limits.limiter import EndpointLimiter


class RequestSize(NamedTuple):
    """Bounds of a request's tokens: bytes of its body, most tokens of its reply."""

    prompt_bytes: int
    max_tokens: int


class Permit(NamedTuple):
    """One request that may be sent, counted in flight until it is released.

    Attributes:
        limiter: of the endpoint it goes to.
        sent_at: seconds of the loop's clock.
        number: of this request among all sent there, from 1.
        amounts: requests and tokens charged to each limit, estimated.
    """

    limiter: "EndpointLimiter"
    sent_at: float
    number: int
    size: RequestSize
    amounts: PerLimit[int]


class Completed(NamedTuple):
    """A whole answer came."""

    usage: Usage


class Throttled(NamedTuple):
    """The endpoint refused the request for its rate.

    Attributes:
        retry_after_s: its hint, None without one.
        is_exhausted: its headers say that nothing of a limit remains.
    """

    retry_after_s: float | None
    is_exhausted: bool = False


class Stray(NamedTuple):
    """A lone throttle among requests that pass: it concerns this request only."""

    retry_after_s: float | None


class Failed(NamedTuple):
    """The endpoint or the connection failed: 5xx, timeout, reset.

    Attributes:
        has_replied: a reply came, if only an error.
    """

    has_replied: bool


class Unreachable(NamedTuple):
    """No connection. `retry_after_s` is when to try again, None leaves it to the backoff."""

    retry_after_s: float | None


class Stale(NamedTuple):
    """A kept connection was lost before the reply: this tells nothing of the endpoint."""


class Starved(NamedTuple):
    """This machine could open no connection: nothing was sent."""


class Refused(NamedTuple):
    """The endpoint works and refuses this one request."""


class Disabled(NamedTuple):
    """No request can succeed at this endpoint any more: `message` says why."""

    message: str


class Abandoned(NamedTuple):
    """Cancelled, or a hedged copy that lost: nothing is known of it."""


Outcome = (
    Completed
    | Throttled
    | Stray
    | Failed
    | Unreachable
    | Stale
    | Starved
    | Refused
    | Disabled
    | Abandoned
)
