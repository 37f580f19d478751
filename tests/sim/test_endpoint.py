"""The simulator in memory has an address of its own."""

import pytest

from vcgen.engine.config import Endpoint
from vcgen.sim import in_memory, is_in_memory


@pytest.mark.parametrize(
    ("endpoint", "moved"),
    [
        (Endpoint(model="sim"), True),
        (Endpoint(model="sim", base_url="http://127.0.0.1:8099/v1"), False),
        (Endpoint(model="gpt-4o-mini"), False),
    ],
)
def test_only_the_simulated_model_without_a_server_moves(
    endpoint: Endpoint, *, moved: bool
) -> None:
    assert is_in_memory(in_memory(endpoint)) is moved
    assert moved or in_memory(endpoint) == endpoint
