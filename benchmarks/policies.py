"""What clients do about a refusal, from no more than two retries to one gate for all.

None is made weaker than its description: all keep to the rate given, retries included, spread as
evenly as vcgen spreads it, and first come is first served.
"""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import anyio
from aiolimiter import AsyncLimiter

from vcgen.engine.chat import Completion, Failure, FailureKind
from vcgen.engine.limits.backoff import backoff_s
from vcgen.engine.limits.token_bucket import bucket_size
from vcgen.engine.wire.completions import decode
from vcgen.errors import ConnectFailed
from vcgen.sim import SimTransport

_URL = "http://in.memory/v1/chat/completions"
_BODY = b'{"model":"sim","messages":[{"role":"user","content":"Say hello."}],"max_tokens":40}'
SDK_TRIES, SDK_FIRST_S, SDK_LONGEST_S, SDK_LONGEST_HINT_S = 3, 0.5, 8.0, 60.0
ALONE_TRIES, ALONE_LONGEST_S = 6, 60.0
PAUSE_TRIES, PAUSE_S = 10, 10.0


class Wire:
    """Sends single requests, no faster than a rate.

    Attributes:
        opens_at: before that, in loop time, nobody sends.
        closures: refusals in a row that closed it.
        random: of the jitter.
    """

    def __init__(self, transport: SimTransport, rpm: int | None, seed: int) -> None:
        self.opens_at = 0.0
        self.closures = 0
        self.random = Random(seed)  # noqa: S311 - jitter
        self._transport = transport
        self._turn = asyncio.Lock()
        self._limiter = None if rpm is None else AsyncLimiter(*bucket_size(rpm))

    async def send(self) -> Completion | Failure:
        """One request and its answer."""
        async with self._turn:
            await anyio.sleep_until(self.opens_at)
            if self._limiter is not None:
                await self._limiter.acquire()
            while anyio.current_time() < self.opens_at:  # noqa: ASYNC110 - it may move
                await anyio.sleep_until(self.opens_at)
        try:
            reply = await self._transport.post(_URL, {}, _BODY, 120.0)
        except ConnectFailed as error:
            return Failure(status=0, code="", message=str(error), kind=FailureKind.NO_CONNECTION)
        return decode(reply.status, reply.headers, reply.body)


async def sdk(wire: Wire) -> bool:
    """As the SDKs of OpenAI and Anthropic: two retries, at most 8 s later or when the hint says."""
    for attempt in range(SDK_TRIES):
        result = await wire.send()
        if isinstance(result, Completion):
            return True
        hint_s = result.retry_after_s
        longest_s = min(SDK_LONGEST_S, SDK_FIRST_S * 2**attempt)
        use_hint = hint_s is not None and 0 < hint_s <= SDK_LONGEST_HINT_S
        if attempt < SDK_TRIES - 1:
            await anyio.sleep(
                hint_s if use_hint and hint_s else longest_s * (1 - wire.random.random() / 4)
            )
    return False


async def alone(wire: Wire) -> bool:
    """Each backs off alone: six tries, at random up to 60 s, as OpenAI's cookbook has it."""
    for attempt in range(ALONE_TRIES):
        if isinstance(await wire.send(), Completion):
            return True
        if attempt < ALONE_TRIES - 1:
            most_s = min(ALONE_LONGEST_S, 2.0**attempt)
            await anyio.sleep(max(1.0, wire.random.random() * most_s))
    return False


async def pause(wire: Wire) -> bool:
    """Everybody pauses for 10 s after a 429, as in curator; ten tries."""
    for attempt in range(PAUSE_TRIES):
        result = await wire.send()
        if isinstance(result, Completion):
            return True
        if result.status == 429:
            wire.opens_at = anyio.current_time() + PAUSE_S
        elif attempt < PAUSE_TRIES - 1:
            await anyio.sleep(PAUSE_S)
    return False


async def gate(wire: Wire) -> bool:
    """One gate for all, closed for as long as a refusal says or a back-off; the rate unchanged."""
    while True:
        sent_after = wire.opens_at
        result = await wire.send()
        if isinstance(result, Completion):
            wire.closures = 0
            return True
        if wire.opens_at <= max(sent_after, anyio.current_time()):
            wire.closures += 1
        delay_s = result.retry_after_s or backoff_s(max(1, wire.closures), wire.random.random())
        wire.opens_at = max(wire.opens_at, anyio.current_time() + delay_s)


POLICIES: dict[str, Callable[[Wire], Awaitable[bool]]] = {
    "SDK: 2 retries, up to 8 s": sdk,
    "each backs off alone, 6 tries": alone,
    "all pause 10 s": pause,
    "one gate, Retry-After": gate,
}
