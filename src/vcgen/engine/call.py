"""One request on its way: what it is in each endpoint's words, and what each sending came to."""

from dataclasses import dataclass, field
from typing import NamedTuple

from vcgen.engine.chat import ChatRequest, Completion, Failure
from vcgen.engine.config import Capabilities
from vcgen.engine.endpoint_client import EndpointClient
from vcgen.engine.limits.limiter import Permit
from vcgen.engine.limits.queue import Affinity


@dataclass(slots=True)
class Call:
    """A request until it is answered.

    Attributes:
        work: what it belongs to.
        attempts: how many it has used up, the one under way included.
        sent: how many requests were sent for it.
        dialects: what to try where the endpoint has refused its usual one.
    """

    request: ChatRequest
    work: Affinity
    attempts: int = 1
    sent: int = 0
    dialects: dict[EndpointClient, Capabilities] = field(default_factory=dict)
    _body: bytes = b""
    _lane: EndpointClient | None = None
    _said: Capabilities | None = None

    def dialect(self, lane: EndpointClient) -> Capabilities:
        """How it is said to an endpoint."""
        return self.dialects.get(lane, lane.dialect)

    def body(self, lane: EndpointClient) -> bytes:
        """Its bytes for an endpoint."""
        dialect = self.dialect(lane)
        if lane is not self._lane or dialect is not self._said:
            self._body = lane.encode(self.request, dialect)
            self._lane, self._said = lane, dialect
        return self._body


class Attempt(NamedTuple):
    """What one sending came to, where, and how it was said there."""

    result: Completion | Failure
    departure: Permit
    lane: EndpointClient
    dialect: Capabilities
