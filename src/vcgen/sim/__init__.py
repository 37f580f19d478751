"""A simulated chat-completions endpoint: demos, tests and benchmarks with no key and no network."""

from vcgen.sim.clock import virtual_clock
from vcgen.sim.conditions import Capacity, Conditions, Outage
from vcgen.sim.faults import Faults, parse_faults
from vcgen.sim.latency import Latency
from vcgen.sim.limits import TrueLimits
from vcgen.sim.replies import Answer
from vcgen.sim.server import serve
from vcgen.sim.simulator import Arrival, Simulator
from vcgen.sim.transport import SimTransport
from vcgen.sim.validation import Behaviour

__all__ = [
    "Answer",
    "Arrival",
    "Behaviour",
    "Capacity",
    "Conditions",
    "Faults",
    "Latency",
    "Outage",
    "SimTransport",
    "Simulator",
    "TrueLimits",
    "parse_faults",
    "serve",
    "virtual_clock",
]
