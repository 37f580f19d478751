"""When an endpoint says how long to wait, nothing is sent to it before; whatever it says."""

from collections.abc import Mapping
from pathlib import Path

import anyio
import orjson
import pytest

from tests.support.common import Watched, completion, generate, make_clips, outcome_ids, run
from vcgen.data.records import Reason
from vcgen.engine.chat import ChatRequest, Message
from vcgen.engine.config import Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.engine.refused_alike import FIRST, LATER
from vcgen.engine.retry import LONGEST_WAIT_S
from vcgen.engine.transport.base import Reply
from vcgen.errors import RequestFailed, RunStopped
from vcgen.pipeline.store.retry import set_aside
from vcgen.sim import SimReply, Simulator

DATE = "Thu, 01 Jan 2026 12:00:00 GMT"
# Seconds the endpoint asks for, None where it says nothing that can be understood.
HINTS: list[tuple[dict[str, str], float | None]] = [
    ({}, None),
    ({"retry-after": "7"}, 7),
    ({"retry-after": " 7 "}, 7),
    ({"retry-after": "0.5"}, 0.5),
    ({"retry-after": "0"}, 0),
    ({"retry-after": "119.9"}, 119.9),
    ({"retry-after": "600"}, 600),
    ({"retry-after-ms": "2500"}, 2.5),
    ({"retry-after-ms": "2500", "retry-after": "1"}, 2.5),
    ({"retry-after-ms": "x", "retry-after": "3"}, 3),
    ({"retry-after-ms": "-1", "retry-after": "3"}, 3),
    ({"retry-after": "Thu, 01 Jan 2026 12:00:09 GMT", "date": DATE}, 9),
    ({"retry-after": "Thursday, 01-Jan-26 12:00:09 GMT", "date": DATE}, 9),
    ({"retry-after": "Thu, 01 Jan 2026 11:00:00 GMT", "date": DATE}, 0),
    ({"retry-after": ""}, None),
    ({"retry-after": "-3"}, None),
    ({"retry-after": "nan"}, None),
    ({"retry-after": "inf"}, None),
    ({"retry-after": "soon"}, None),
    ({"retry-after": "7 s"}, None),
    ({"retry-after": "\x00\u00e9"}, None),
    ({"retry-after": "9" * 400}, None),
    ({"retry-after": "Thu, 99 Jan 2026 99:99:99 GMT"}, None),
    ({"retry-after": "5", "x-should-retry": "true"}, 5),
    ({"retry-after": "5", "x-should-retry": " TRUE "}, 5),
    ({"retry-after": "5", "x-should-retry": "maybe"}, 5),
    ({"x-should-retry": "1"}, None),
]
TOO_LONG = [
    {"retry-after": "601"},
    {"retry-after": "1e308"},
    {"retry-after-ms": "86400000"},
    {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT", "date": DATE},
]
REQUEST = ChatRequest(messages=(Message("user", "What happens?"),))


class Refusing:
    """Refuses the first request so, answers all others, and keeps when each came."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        body = orjson.dumps({"error": {"message": "Not now.", "code": "busy"}})
        self.refusal = Reply(status, headers, body)
        self.times: list[float] = []

    async def post(self, *_: object, **__: object) -> Reply:
        self.times.append(anyio.current_time())
        return self.refusal if len(self.times) == 1 else completion("Yes.")

    async def aclose(self) -> None:
        """Nothing is open."""


def waited_s(endpoint: Refusing) -> float:
    """How long after the refusal the request was sent again."""

    async def main() -> None:
        async with Engine(Endpoint(model="m"), transport=endpoint) as engine:
            assert (await engine.complete(REQUEST)).text == "Yes."

    run(main)
    assert len(endpoint.times) == 2
    return endpoint.times[1] - endpoint.times[0]


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize(("headers", "seconds"), HINTS)
def test_nothing_is_sent_before_the_time_the_endpoint_asks_for(
    status: int, headers: dict[str, str], seconds: float | None
) -> None:
    assert waited_s(Refusing(status, headers)) >= (seconds or 0)


@pytest.mark.parametrize("headers", TOO_LONG)
@pytest.mark.parametrize("status", [429, 503])
def test_wait_that_is_too_long_stops_and_costs_no_sample(
    status: int, headers: dict[str, str]
) -> None:
    endpoint = Refusing(status, headers)
    with pytest.raises(RunStopped, match="asks to wait"):
        generate(make_clips(3), model=Endpoint(model="m"), transport=endpoint, limits=None)


@pytest.mark.parametrize("headers", TOO_LONG)
def test_after_a_failure_a_wait_has_an_end(headers: dict[str, str]) -> None:
    assert waited_s(Refusing(500, headers)) >= LONGEST_WAIT_S


@pytest.mark.parametrize("said", ["false", " False"])
def test_who_says_not_to_retry_is_not_asked_again(said: str) -> None:
    endpoint = Refusing(500, {"x-should-retry": said})

    async def main() -> None:
        async with Engine(Endpoint(model="m"), transport=endpoint) as engine:
            with pytest.raises(RequestFailed):
                await engine.complete(REQUEST)

    run(main)
    assert len(endpoint.times) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422])
def test_what_cannot_succeed_is_sent_once(status: int) -> None:
    endpoint = Refusing(status, {"retry-after": "1"})

    async def main() -> None:
        async with Engine(Endpoint(model="m"), transport=endpoint) as engine:
            with pytest.raises(RunStopped if status in {401, 403, 404, 405} else RequestFailed):
                await engine.complete(REQUEST)

    run(main)
    assert len(endpoint.times) == 1


class Ending(Simulator):
    """An account that has no more to spend after some requests."""

    def __init__(self, granted: int, status: int, code: str) -> None:
        super().__init__(latency_s=1.0)
        self._granted, self._status = granted, status
        self._body = orjson.dumps({"error": {"message": "No more.", "code": code}})

    def answer(self, headers: Mapping[str, str], body: bytes, now: float) -> SimReply:
        answer = super().answer(headers, body, now)
        if self.requests <= self._granted:
            return answer
        return answer._replace(status=self._status, body=self._body)


@pytest.mark.parametrize("granted", [0, 40])
@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "invalid_api_key"), (403, ""), (429, "insufficient_quota"), (402, "")],
)
def test_account_at_its_end_is_asked_one_flight_more(
    tmp_path: Path, status: int, code: str, granted: int
) -> None:
    simulator = Ending(granted, status, code)
    limits = Limits(concurrency=16)
    clips = make_clips(60)
    with pytest.raises(RunStopped, match="No more"):
        generate(clips, transport=Watched(simulator), limits=limits, output=tmp_path)
    # After answers a 403 may be one prompt's: it takes a row of them.
    row = LATER + FIRST if status == 403 and granted else 0
    assert simulator.requests - granted <= 16 + row
    assert set_aside(tmp_path, [Reason.CONTENT_FILTER]).total() <= row
    assert not generate(clips, limits=limits, output=tmp_path).rejects
    assert len(set(outcome_ids(tmp_path))) == len(outcome_ids(tmp_path)) == 120
