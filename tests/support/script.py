"""A transport that plays replies and errors, and a call that meets them in virtual time."""

from collections.abc import Iterable, Mapping
from typing import Any

import anyio
import orjson

from tests.support.common import run
from vcgen.engine.chat import ChatRequest, Message, Schema
from vcgen.engine.config import Endpoint
from vcgen.engine.engine import Engine
from vcgen.engine.transport.base import Reply
from vcgen.errors import (
    RequestFailed,
    RunStopped,
)

HELLO = ChatRequest(messages=(Message("user", "Say hello in JSON."),))
STRICT = ChatRequest(
    messages=HELLO.messages,
    schema=Schema("greeting", {"type": "object", "properties": {"text": {"type": "string"}}}),
)
SIM = Endpoint(model="sim")
Event = Reply | Exception


class Script:
    """Plays events in turn and the last one for ever; notes what was sent, and when."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.times: list[float] = []
        self.headers: Mapping[str, str] = {}
        self._events = list(events)

    async def post(
        self,
        url: str,  # noqa: ARG002 - the script does not look
        headers: Mapping[str, str],
        body: bytes,  # noqa: ARG002 - as above
        timeout_s: float,  # noqa: ARG002 - as above
    ) -> Reply:
        self.times.append(anyio.current_time())
        self.headers = headers
        event = self._events.pop(0) if len(self._events) > 1 else self._events[0]
        if isinstance(event, Exception):
            raise event
        return event

    async def aclose(self) -> None:
        """Nothing is open."""


def error(status: int, code: str = "", message: str = "said", **headers: str) -> Reply:
    body = orjson.dumps({"error": {"code": code, "message": message}})
    return Reply(status, {name.replace("_", "-"): text for name, text in headers.items()}, body)


def play(*events: Event, request: ChatRequest = HELLO) -> tuple[Any, Script, Engine]:
    """What a request comes to over these events: its completion or the error it raised."""
    script = Script(events)
    engine = Engine(SIM, transport=script)
    ended: list[Any] = []

    async def main() -> None:
        try:
            ended.append(await engine.complete(request))
        except (RequestFailed, RunStopped) as raised:
            ended.append(raised)

    run(main)
    assert engine.in_flight == 0
    return ended[0], script, engine
