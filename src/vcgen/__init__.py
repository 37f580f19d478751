"""Fast, lossless generation of video-language instruction data from video text.

    result = await vcgen.generate_batch("clips.jsonl", model="sim", output="runs/a")

What is listed in `__all__` is the public surface; `vcgen.testing` and `vcgen.sim` are public too.
"""

from typing import TYPE_CHECKING, Any

from vcgen._version import __version__
from vcgen.answers import Answer, Ask
from vcgen.api import Options, Result, generate_batch, run, stream
from vcgen.chat import ChatRequest, Completion, Message, Schema
from vcgen.clips import Clip, Segment
from vcgen.config import Budget, Endpoint, Limits, Recipe
from vcgen.engine import Engine
from vcgen.errors import (
    BudgetSpent,
    ConnectFailed,
    ConnectionLost,
    Reason,
    Rejected,
    ReplyTooLarge,
    RunStopped,
    StoreError,
    TimedOut,
    TransportError,
    UsageError,
    VcgenError,
)
from vcgen.http1 import Reply
from vcgen.records import Outcome, Record, Reject, Turn, Usage
from vcgen.sources import read_clips
from vcgen.tasks import Task, task
from vcgen.transport import HttpTransport, Transport

if TYPE_CHECKING:
    from vcgen.httpx_transport import HttpxTransport
    from vcgen.sim import SimTransport

__all__ = [
    "Answer",
    "Ask",
    "Budget",
    "BudgetSpent",
    "ChatRequest",
    "Clip",
    "Completion",
    "ConnectFailed",
    "ConnectionLost",
    "Endpoint",
    "Engine",
    "HttpTransport",
    "HttpxTransport",
    "Limits",
    "Message",
    "Options",
    "Outcome",
    "Reason",
    "Recipe",
    "Record",
    "Reject",
    "Rejected",
    "Reply",
    "ReplyTooLarge",
    "Result",
    "RunStopped",
    "Schema",
    "Segment",
    "SimTransport",
    "StoreError",
    "Task",
    "TimedOut",
    "Transport",
    "TransportError",
    "Turn",
    "Usage",
    "UsageError",
    "VcgenError",
    "__version__",
    "generate_batch",
    "read_clips",
    "run",
    "stream",
    "task",
]


def __getattr__(name: str) -> Any:
    # What they import (httpx, a server's worth of simulator) would double the time to import vcgen.
    if name == "HttpxTransport":
        from vcgen.httpx_transport import HttpxTransport  # noqa: PLC0415

        return HttpxTransport
    if name == "SimTransport":
        from vcgen.sim import SimTransport  # noqa: PLC0415

        return SimTransport
    raise AttributeError(f"module 'vcgen' has no attribute {name!r}")
