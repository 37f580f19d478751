"""A simulated chat-completions endpoint: demos, tests and benchmarks with no key and no network."""

from vcgen.sim.clock import virtual_clock
from vcgen.sim.conditions import Capacity, Outage, OutageKind, Scenario
from vcgen.sim.endpoint import in_memory, is_in_memory
from vcgen.sim.faults import FAULT_KINDS, Faults, parse_faults
from vcgen.sim.latency import Latency, Slots
from vcgen.sim.limits import CREATED, ServerLimits
from vcgen.sim.prefix_cache import BLOCK_TOKENS
from vcgen.sim.replies import SimReply
from vcgen.sim.server import serve
from vcgen.sim.simulator import Arrival, Simulator
from vcgen.sim.transport import SimTransport, TimedTransport
from vcgen.sim.validation import ServerCapabilities
from vcgen.sim.writer import write

__all__ = [
    "BLOCK_TOKENS",
    "CREATED",
    "FAULT_KINDS",
    "Arrival",
    "Capacity",
    "Faults",
    "Latency",
    "Outage",
    "OutageKind",
    "Scenario",
    "ServerCapabilities",
    "ServerLimits",
    "SimReply",
    "SimTransport",
    "Simulator",
    "Slots",
    "TimedTransport",
    "in_memory",
    "is_in_memory",
    "parse_faults",
    "serve",
    "virtual_clock",
    "write",
]
