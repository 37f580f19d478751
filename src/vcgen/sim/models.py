"""The simulated models by name: each takes the plain one's reply and does to it what is its own."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from vcgen.sim.obedience import obey
from vcgen.sim.sloppiness import be_sloppy

Manner = Callable[[str, Sequence[tuple[str, str]], str], str]
"""From the plain reply, the roles and texts of the prompt and a seed to the model's own reply."""


def as_it_is(reply: str, _said: Sequence[tuple[str, str]], _seed: str) -> str:
    """The plain model's manner, and that of any other name."""
    return reply


MANNERS: Mapping[str, Manner] = MappingProxyType(
    {"sim": as_it_is, "sim:obedient": obey, "sim:sloppy": be_sloppy}
)
