"""Fast, lossless generation of video-language instruction data from video text.

    result = await vcgen.generate_batch("clips.jsonl", model="sim", output="runs/a")

What is listed in `__all__` is the public surface; `vcgen.exporters`, `vcgen.testing` and
`vcgen.sim` are public too.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vcgen._version import __version__

if TYPE_CHECKING:
    from vcgen.answers import Answer, Ask
    from vcgen.api import Options, Result, generate_batch, run, stream
    from vcgen.chat import ChatRequest, Completion, Message, Schema
    from vcgen.clips import Clip, Segment
    from vcgen.config import Budget, Endpoint, Limits
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
    from vcgen.httpx_transport import HttpxTransport
    from vcgen.recipe import Recipe
    from vcgen.records import Outcome, Record, Reject, Turn, Usage
    from vcgen.sim import SimTransport
    from vcgen.sources import read_clips
    from vcgen.tasks import Task, task
    from vcgen.transport import HttpTransport, Transport

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

# Loaded when asked for: all of it takes a third of a second, before which the command could not
# say what a signal does.
_HOMES = {
    "answers": "Answer Ask",
    "api": "Options Result generate_batch run stream",
    "chat": "ChatRequest Completion Message Schema",
    "clips": "Clip Segment",
    "config": "Budget Endpoint Limits",
    "engine": "Engine",
    "errors": "BudgetSpent ConnectFailed ConnectionLost Reason Rejected ReplyTooLarge RunStopped "
    "StoreError TimedOut TransportError UsageError VcgenError",
    "http1": "Reply",
    "httpx_transport": "HttpxTransport",
    "recipe": "Recipe",
    "records": "Outcome Record Reject Turn Usage",
    "sim": "SimTransport",
    "sources": "read_clips",
    "tasks": "Task task",
    "transport": "HttpTransport Transport",
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names.split():
            found = globals()[name] = getattr(import_module(f"vcgen.{module}"), name)
            return found
    raise AttributeError(f"module 'vcgen' has no attribute {name!r}")
