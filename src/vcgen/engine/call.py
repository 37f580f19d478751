"""A request on its way: its bytes for each endpoint, its attempts, and its last result."""

from dataclasses import dataclass, field
from typing import NamedTuple

from vcgen.engine.chat import ChatRequest, Completion, Failure
from vcgen.engine.config import Capabilities
from vcgen.engine.endpoint_client import EndpointClient
from vcgen.engine.limits.limiter import EndpointLimiter
from vcgen.engine.limits.permit import Outcome, Permit
from vcgen.engine.limits.queue import Affinity
from vcgen.engine.retry import FailureReason


@dataclass(slots=True)
class Call:
    """A request until it is answered.

    Attributes:
        affinity: requests it shares a prefix with.
        attempts: used so far, the current one included; throttles and outages do not count.
        strays: throttles met while other requests passed.
        stale: kept connections lost before the reply.
        sent: requests sent for it.
        failures: reason and message of each endpoint at which it has failed for good.
        refusals: messages of those that refused it.
        unusable: the last completion that the caller cannot use, with the usage of all of them.
        retry_at: a peer of the endpoint where the last attempt failed; a retry prefers it.
        capabilities: to assume of an endpoint that has refused its usual ones.
    """

    request: ChatRequest
    affinity: Affinity
    attempts: int = 1
    strays: int = 0
    stale: int = 0
    sent: int = 0
    failures: dict[EndpointLimiter, tuple[FailureReason, str]] = field(default_factory=dict)
    refusals: dict[EndpointLimiter, str] = field(default_factory=dict)
    unusable: Completion | None = None
    retry_at: EndpointLimiter | None = None
    capabilities: dict[EndpointClient, Capabilities] = field(default_factory=dict)
    _body: bytes = b""
    _client: EndpointClient | None = None
    _capabilities: Capabilities | None = None

    def encoded(self, client: EndpointClient) -> tuple[bytes, Capabilities]:
        """The request's bytes for an endpoint, and the capabilities they assume."""
        capabilities = client.capabilities
        if self.capabilities:
            capabilities = self.capabilities.get(client, capabilities)
        if client is not self._client or capabilities is not self._capabilities:
            self._body = client.encode(self.request, capabilities)
            self._client, self._capabilities = client, capabilities
        return self._body, capabilities


class Attempt(NamedTuple):
    """The result of sending a call once, reported to the limits already."""

    result: Completion | Failure
    outcome: Outcome
    permit: Permit
    client: EndpointClient
    capabilities: Capabilities
