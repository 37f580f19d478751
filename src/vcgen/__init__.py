"""Fast, lossless generation of video-language instruction data from video text.

    result = await vcgen.generate_batch("clips.jsonl", model="sim", output="runs/a")

What is listed in `__all__` is the public surface; so are `vcgen.checks`,
`vcgen.datasets.export` and `vcgen.sim`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vcgen._version import __version__

if TYPE_CHECKING:
    from vcgen.data.clips import Clip, Segment
    from vcgen.data.readers.read import read_clips
    from vcgen.data.records import Outcome, Record, Reject, Turn
    from vcgen.engine.budget import Budget
    from vcgen.engine.chat import ChatRequest, Completion, Message, Schema, Usage
    from vcgen.engine.config import Endpoint, Limits
    from vcgen.engine.engine import Engine
    from vcgen.engine.transport.asyncio_http import HttpTransport
    from vcgen.engine.transport.base import Reply, Transport
    from vcgen.engine.transport.httpx_client import HttpxTransport
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
    from vcgen.pipeline.api import Result, generate_batch, run, stream
    from vcgen.pipeline.session import Options
    from vcgen.sim import SimTransport
    from vcgen.tasks.ask import Answer, Ask
    from vcgen.tasks.recipe import Recipe
    from vcgen.tasks.task import Task, task

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

# Loaded on first use: importing all of it takes a third of a second, during which the command
# could not yet handle a signal.
_HOMES = {
    "data.clips": "Clip Segment",
    "data.readers.read": "read_clips",
    "data.records": "Outcome Record Reject Turn",
    "engine.budget": "Budget",
    "engine.chat": "ChatRequest Completion Message Schema Usage",
    "engine.config": "Endpoint Limits",
    "engine.engine": "Engine",
    "engine.transport.asyncio_http": "HttpTransport",
    "engine.transport.base": "Reply Transport",
    "engine.transport.httpx_client": "HttpxTransport",
    "errors": "BudgetSpent ConnectFailed ConnectionLost Reason Rejected ReplyTooLarge RunStopped "
    "StoreError TimedOut TransportError UsageError VcgenError",
    "pipeline.api": "Result generate_batch run stream",
    "pipeline.session": "Options",
    "sim": "SimTransport",
    "tasks.ask": "Answer Ask",
    "tasks.recipe": "Recipe",
    "tasks.task": "Task task",
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names.split():
            found = globals()[name] = getattr(import_module(f"vcgen.{module}"), name)
            return found
    raise AttributeError(f"module 'vcgen' has no attribute {name!r}")
