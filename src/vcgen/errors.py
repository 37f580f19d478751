"""Every error vcgen raises, on one screen.

    VcgenError
    ├── UsageError          wrong use or configuration; nothing was sent
    ├── RunStopped          the run ended early and can be resumed
    │   ├── BudgetSpent     because its budget allows no further request
    │   └── InternalError   because vcgen or the machine failed
    ├── StoreError          the run directory could not be written or read
    ├── SampleRejected      one sample ends without a record; becomes a `Reject`
    ├── RequestFailed       one request of an `Engine` has no answer; others may
    └── TransportError      no HTTP reply came
        ├── ConnectFailed   nothing was sent: refused, unknown host, no TLS
        │   ├── BadCertificate    the server's certificate cannot be verified
        │   └── LocalError        this machine has no descriptor, port or memory left
        ├── ConnectionLost  the connection broke before the reply was whole
        │   └── StaleConnection   one kept from an earlier request, before the reply began
        ├── TimedOut        the attempt's deadline passed
        └── ReplyTooLarge   the reply exceeded the byte cap

A bad clip or a bad reply never raises out of a run: it is a `Reject` among the outcomes.
"""

from collections.abc import Sequence
from enum import StrEnum


class VcgenError(Exception):
    """Root of all errors raised by vcgen."""


class UsageError(VcgenError, ValueError):
    """Wrong use or configuration, found before anything is sent."""


class RunStopped(VcgenError):
    """The run ended early: dead key, exhausted quota, unreachable endpoint, interrupt.

    What was answered is on disk; the same command continues.
    """


class BudgetSpent(RunStopped):
    """The budget of a run allows no further request; a run is then over, and has not failed."""


class InternalError(RunStopped):
    """vcgen or the machine failed: no sample is at fault."""


class StoreError(VcgenError):
    """The run directory could not be written or read."""


class SampleRejected(VcgenError):
    """One sample ends without a record.

    Attributes:
        reason: a `vcgen.Reason`.
        message: one line for people.
        reply: the last reply's text, empty if there was none.
        attempts: requests of the call that failed.
        codes: of the checks that the sample failed.
    """

    def __init__(
        self,
        reason: StrEnum,
        message: str,
        *,
        reply: str = "",
        attempts: int = 0,
        codes: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.reply = reply
        self.attempts = attempts
        self.codes = tuple(dict.fromkeys(codes))


class RequestFailed(VcgenError):
    """A request has no answer: refused by the endpoint, or its attempts are used up.

    Attributes:
        reason: a `vcgen.engine.retry.FailureReason`.
        message: the endpoint's last word, one line.
        attempts: requests sent for it.
    """

    def __init__(self, reason: StrEnum, message: str, *, attempts: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.attempts = attempts


class TransportError(VcgenError):
    """No HTTP reply came."""


class ConnectFailed(TransportError):
    """Nothing was sent: connection refused, unknown host, TLS failure."""


class BadCertificate(ConnectFailed):
    """The server's certificate cannot be verified; a person has to mend that."""


class LocalError(ConnectFailed):
    """This machine can open no connection: no descriptor, port or memory is left for it."""


class ConnectionLost(TransportError):
    """The connection broke before the reply was whole."""


class StaleConnection(ConnectionLost):
    """A connection kept from an earlier request was lost before the first byte of the reply.

    The server had most likely closed it while it was idle, and has not seen the request.
    """


class TimedOut(TransportError):
    """The attempt's total deadline passed."""


class ReplyTooLarge(TransportError):
    """The reply exceeded the cap on decoded bytes."""
