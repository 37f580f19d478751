"""A simulated chat-completions endpoint: demos, tests and benchmarks with no key and no network."""

from vcgen.sim.clock import virtual_clock
from vcgen.sim.conditions import Capacity, Outage, Scenario
from vcgen.sim.faults import Faults, parse_faults
from vcgen.sim.latency import Latency
from vcgen.sim.limits import ServerLimits
from vcgen.sim.replies import SimReply
from vcgen.sim.server import serve
from vcgen.sim.simulator import Arrival, Simulator
from vcgen.sim.transport import SimTransport
from vcgen.sim.validation import ServerCapabilities

__all__ = [
    "Arrival",
    "Capacity",
    "Faults",
    "Latency",
    "Outage",
    "Scenario",
    "ServerCapabilities",
    "ServerLimits",
    "SimReply",
    "SimTransport",
    "Simulator",
    "parse_faults",
    "serve",
    "virtual_clock",
]
