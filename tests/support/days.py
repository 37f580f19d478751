"""Days of requests at simulated endpoints, judged as they go: no more than a minute is kept."""

import asyncio
import re
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from email.utils import formatdate
from typing import Self

from vcgen.engine.chat import ChatRequest, Message
from vcgen.engine.config import Endpoint
from vcgen.engine.engine import Engine
from vcgen.engine.transport.base import Reply
from vcgen.errors import RequestFailed
from vcgen.sim import CREATED, SimReply, SimTransport, Simulator

HOUR_S = 3600.0
_BY_DURATION, _BY_DATE = "x-ratelimit-limit-requests", "anthropic-ratelimit-requests-limit"
_NUMBER = re.compile(rb'"content":"(\d+)"')


def wall_clock(stepped_every_s: float) -> type[datetime]:
    """What stands in for `datetime`: right at first, then an hour ahead, an hour behind, right."""

    class WallClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            seconds = asyncio.get_running_loop().time()
            step_s = HOUR_S * (0, 1, -1)[int(seconds // stepped_every_s) % 3]
            return cls.fromtimestamp(CREATED + seconds + step_s, tz)

    return WallClock


class Dated(Simulator):
    """An endpoint that says when to come again by a date, and then what the date is."""

    def answer(self, headers: Mapping[str, str], body: bytes, now: float) -> SimReply:
        answer = super().answer(headers, body, now)
        told = answer.headers
        if "retry-after" in told or _BY_DATE in told:
            date = CREATED + int(now + answer.delay_s)
            told["date"] = formatdate(date, usegmt=True)
            if "retry-after" in told:
                again = date + int(told["retry-after"])
                told["retry-after"] = formatdate(again, usegmt=True)
        return answer


class Window:
    """What came within 60 s: the most there ever was."""

    def __init__(self) -> None:
        self.most = self._total = 0
        self._came: deque[tuple[float, int]] = deque()

    def add(self, now: float, amount: int = 1) -> None:
        came = self._came
        came.append((now, amount))
        self._total += amount
        while came[0][0] <= now - 60:
            self._total -= came.popleft()[1]
        self.most = max(self.most, self._total)


class Watch(SimTransport):
    """The way to one simulator.

    Attributes:
        sent: requests, whatever became of them.
    """

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator)
        self.sent = Window()
        self._announced = ""
        self._since = Window()
        self._above = 0.0

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        now = asyncio.get_running_loop().time()
        self.sent.add(now)
        self._since.add(now)
        reply = await super().post(url, headers, body, timeout_s)
        announced = reply.headers.get(_BY_DURATION) or reply.headers.get(_BY_DATE)
        if announced is not None and announced != self._announced:
            self._above = self.above
            self._announced, self._since = announced, Window()
        return reply

    @property
    def above(self) -> float:
        """The most that a minute held of what replies had announced, 1.0 being just that."""
        return max(self._above, self._since.most / int(self._announced or 10**9))


class Ways:
    """A transport to one simulator or several, each with an address.

    Attributes:
        turns: numbers of those who have asked and were not sent yet, in their order.
        overtaken: how many of them had asked before one that was sent, at most.
    """

    def __init__(self, simulators: Sequence[Simulator]) -> None:
        self.turns: dict[int, None] = {}
        self.overtaken = 0
        urls = [f"http://127.0.0.1:{port}/v1" for port in range(1, len(simulators) + 1)]
        self.endpoints = [Endpoint(model="sim", base_url=url) for url in urls]
        self.watches = list(map(Watch, simulators))
        pairs = zip(self.endpoints, self.watches, strict=True)
        self._at = {endpoint.url: watch for endpoint, watch in pairs}

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        if self.turns and (found := _NUMBER.search(body)):
            self._take_turn(int(found[1]))
        return await self._at[url].post(url, headers, body, timeout_s)

    async def aclose(self) -> None:
        """Nothing is open."""

    def _take_turn(self, number: int) -> None:
        if number in self.turns:  # else it is sent again
            if number != next(iter(self.turns)):
                self.overtaken = max(self.overtaken, list(self.turns).index(number))
            del self.turns[number]


class Day:
    """Requests that are asked one after another by many, and what became of them.

    Attributes:
        asked, answered, rejected: how many.
        passed_by: how many had their answer at most while another waited that had asked before.
        longest_s: what a request took at most, from being asked.
    """

    def __init__(self, engine: Engine, ways: Ways) -> None:
        self.asked = self.answered = self.rejected = self.passed_by = 0
        self.longest_s = 0.0
        self._engine, self._ways = engine, ways

    async def spend(self, seconds: float, askers: int) -> None:
        """Ask as long as that, and wait for the last answers."""
        ends_at = asyncio.get_running_loop().time() + seconds
        async with asyncio.TaskGroup() as group:
            for _ in range(askers):
                group.create_task(self._ask_until(ends_at))

    async def _ask_until(self, ends_at: float) -> None:
        loop = asyncio.get_running_loop()
        while (asked_at := loop.time()) < ends_at:
            number, before = self.asked, self.answered
            self.asked += 1
            self._ways.turns[number] = None
            request = ChatRequest(messages=(Message("user", str(number)),), max_tokens=16)
            try:
                await self._engine.complete(request)
            except RequestFailed:
                self.rejected += 1
            else:
                self.answered += 1
            self.passed_by = max(self.passed_by, self.answered - before)
            self.longest_s = max(self.longest_s, loop.time() - asked_at)
