"""The endpoint of the simulator in memory, which has an address like any other."""

from dataclasses import replace

from vcgen.data.records import is_simulated
from vcgen.engine.config import OPENAI_URL, Endpoint
from vcgen.errors import UsageError

IN_MEMORY_URL = "http://simulator.invalid/v1"  # RFC 6761: no such host can exist


def in_memory(endpoint: Endpoint) -> Endpoint:
    """Move an endpoint that names the simulated model and no server to the simulator in memory.

    Raises:
        UsageError: only one of the model and its deployment is simulated.
    """
    if is_simulated(endpoint.model) != is_simulated(endpoint.served_model):
        raise UsageError(
            f"{endpoint.model!r} cannot be served as {endpoint.served_model!r}: one is simulated"
        )
    if is_simulated(endpoint.model) and endpoint.base_url == OPENAI_URL:
        return replace(endpoint, base_url=IN_MEMORY_URL)
    return endpoint


def is_in_memory(endpoint: Endpoint) -> bool:
    """Whether an endpoint is the simulator in memory."""
    return endpoint.base_url == IN_MEMORY_URL
