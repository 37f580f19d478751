"""Fast, lossless generation of video-language instruction data from video text.

    result = await vcgen.generate_batch("clips.jsonl", model="sim", output="runs/a")

The names in `__all__` are the public surface; so are `vcgen.checks`, `vcgen.datasets.export` and
`vcgen.sim`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vcgen._version import __version__ as __version__

if TYPE_CHECKING:
    from vcgen.data.clips import Clip as Clip, Segment as Segment
    from vcgen.data.readers.read import read_clips as read_clips
    from vcgen.data.records import (
        Outcome as Outcome,
        Reason as Reason,
        Record as Record,
        Reject as Reject,
        Turn as Turn,
    )
    from vcgen.engine.budget import Budget as Budget
    from vcgen.engine.chat import (
        ChatRequest as ChatRequest,
        Completion as Completion,
        Message as Message,
        Schema as Schema,
        Usage as Usage,
    )
    from vcgen.engine.config import Endpoint as Endpoint, Limits as Limits
    from vcgen.engine.engine import Engine as Engine, MapResult as MapResult
    from vcgen.engine.limits.queue import Affinity as Affinity
    from vcgen.engine.retry import FailureReason as FailureReason
    from vcgen.engine.transport.asyncio_http import HttpTransport as HttpTransport
    from vcgen.engine.transport.base import Reply as Reply, Transport as Transport
    from vcgen.engine.transport.httpx_client import HttpxTransport as HttpxTransport
    from vcgen.errors import (
        BadCertificate as BadCertificate,
        BudgetSpent as BudgetSpent,
        ConnectFailed as ConnectFailed,
        ConnectionLost as ConnectionLost,
        LocalError as LocalError,
        ReplyTooLarge as ReplyTooLarge,
        RequestFailed as RequestFailed,
        RunStopped as RunStopped,
        SampleRejected as SampleRejected,
        StaleConnection as StaleConnection,
        StoreError as StoreError,
        TimedOut as TimedOut,
        TransportError as TransportError,
        UsageError as UsageError,
        VcgenError as VcgenError,
    )
    from vcgen.pipeline.api import (
        Result as Result,
        generate_batch as generate_batch,
        run as run,
        stream as stream,
    )
    from vcgen.pipeline.session import Options as Options
    from vcgen.sim import SimTransport as SimTransport
    from vcgen.tasks.ask import Answer as Answer, Ask as Ask
    from vcgen.tasks.recipe import Recipe as Recipe
    from vcgen.tasks.task import Task as Task, task as task

# Loaded on first use: importing all of it takes a third of a second, during which the command
# could not yet handle a signal.
_MODULES = {
    "data.clips": "Clip Segment",
    "data.readers.read": "read_clips",
    "data.records": "Outcome Record Reason Reject Turn",
    "engine.budget": "Budget",
    "engine.chat": "ChatRequest Completion Message Schema Usage",
    "engine.config": "Endpoint Limits",
    "engine.engine": "Engine MapResult",
    "engine.limits.queue": "Affinity",
    "engine.retry": "FailureReason",
    "engine.transport.asyncio_http": "HttpTransport",
    "engine.transport.base": "Reply Transport",
    "engine.transport.httpx_client": "HttpxTransport",
    "errors": "BadCertificate BudgetSpent ConnectFailed ConnectionLost LocalError ReplyTooLarge "
    "RequestFailed RunStopped SampleRejected StaleConnection StoreError TimedOut TransportError "
    "UsageError VcgenError",
    "pipeline.api": "Result generate_batch run stream",
    "pipeline.session": "Options",
    "sim": "SimTransport",
    "tasks.ask": "Answer Ask",
    "tasks.recipe": "Recipe",
    "tasks.task": "Task task",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = sorted(["__version__", *_MODULE_OF])  # noqa: PLE0605 - a list, made of the table


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'vcgen' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"vcgen.{_MODULE_OF[name]}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
