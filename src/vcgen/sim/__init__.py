"""A simulated chat-completions endpoint: demos, tests and benchmarks with no key and no network."""

from vcgen.sim.faults import Faults, parse_faults
from vcgen.sim.server import serve
from vcgen.sim.simulator import Answer, Arrival, Simulator
from vcgen.sim.transport import SimTransport
from vcgen.sim.validation import Behaviour

__all__ = [
    "Answer",
    "Arrival",
    "Behaviour",
    "Faults",
    "SimTransport",
    "Simulator",
    "parse_faults",
    "serve",
]
