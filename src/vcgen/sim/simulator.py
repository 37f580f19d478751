"""The simulated endpoint without a connection: headers and bytes of a request in, an answer out.

Both fronts use it, `SimTransport` and the HTTP server. It reads no clock and never waits: time is
an argument, and the delay is part of the answer.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson

from vcgen.sim.conditions import Scenario
from vcgen.sim.faults import INSTEAD, ON_CONNECTING, REFUSALS, Faults
from vcgen.sim.latency import Latency, Slots
from vcgen.sim.limits import RateExceeded, RateWindows
from vcgen.sim.prefix_cache import PrefixCache, block_keys
from vcgen.sim.replies import SimReply, complete, count_usage, limited, refuse, shaped, struck
from vcgen.sim.schema import Unfillable
from vcgen.sim.validation import NOT_JSON, Refusal, ServerCapabilities, check
from vcgen.sim.writer import write

Write = Callable[[Mapping[str, Any], str], str]
"""From a valid request and a seed to the text of the reply; raises Unfillable for a bad schema."""

_ONE_REQUEST = {"requests": 1}
_OUTAGE_S = 0.05  # until a connection is refused, or a gateway answers for the server


class Arrival(NamedTuple):
    """One request: its time by the caller's clock, tokens if it was granted, status."""

    time_s: float
    tokens: int
    status: int


class Simulator:
    """An OpenAI-compatible endpoint that costs nothing.

    Args:
        conditions: limits, latency, slots, prefix cache, outages, changes of capacity.
        seed: of the texts, the latencies and the faults.
        latency_s: of every answer, in place of the conditions' latency.
        rpm, tpm: in place of those of the conditions' limits.
        faults: see `parse_faults`.
        key: the only key accepted, None accepts any.
        behaviour: the features of the API that it has.
        write: the model; the built-in one reads the evidence of the prompt.
        log_arrivals: keep `arrivals`; without it memory does not grow.

    Attributes:
        requests: received so far.
        prompt_tokens, cached_tokens: of granted requests; cached tokens are part of the first.
        statuses, faults_met: answers with each.

    Raises:
        UsageError: a negative latency or a limit below 1.
    """

    def __init__(  # noqa: PLR0913 - one parameter a setting, all by name
        self,
        conditions: Scenario = Scenario(),
        *,
        seed: int = 0,
        latency_s: float | None = None,
        rpm: int | None = None,
        tpm: int | None = None,
        faults: Faults = Faults(),  # noqa: B008 - frozen
        key: str | None = None,
        behaviour: ServerCapabilities = ServerCapabilities(),  # noqa: B008 - frozen
        write: Write = write,
        log_arrivals: bool = False,
    ) -> None:
        self.requests = self.prompt_tokens = self.cached_tokens = 0
        self.statuses: Counter[int] = Counter()
        self.faults_met: Counter[str] = Counter()
        self.arrivals: list[Arrival] | None = [] if log_arrivals else None
        self._conditions, self._faults = conditions, faults
        self._key, self._behaviour, self._write = key, behaviour, write
        rpm = conditions.limits.rpm if rpm is None else rpm
        tpm = conditions.limits.tpm if tpm is None else tpm
        self._limits = replace(conditions.limits, rpm=rpm, tpm=tpm)
        self._windows = RateWindows(self._limits)
        self._latency = conditions.latency if latency_s is None else Latency(latency_s)
        self._slots = None if conditions.slots is None else Slots(conditions.slots)
        blocks = conditions.prefix_blocks
        self._prefixes = None if blocks is None else PrefixCache(blocks)
        self._capacity = 1.0
        self._seed, self._hash_key = seed, str(seed).encode()

    def answer(self, headers: Mapping[str, str], body: bytes, now: float) -> SimReply:
        """Answer a POST to `/chat/completions`, `now` being seconds of any monotonic clock."""
        self.requests += 1
        if self._conditions.capacity:
            self._apply_capacity(now)
        if (outage := self._conditions.outage_at(now)) is not None:
            answer, tokens = refuse(REFUSALS["503"], delay_s=_OUTAGE_S, fault=outage.kind), 0
        else:
            fault = self._faults.draw(self._seed, self.requests)
            if fault is not None and fault.kind in ON_CONNECTING:
                answer, tokens = refuse(REFUSALS["503"], delay_s=_OUTAGE_S, fault=fault.kind), 0
            else:
                answer, tokens = self._decide(headers, body, now, fault.kind if fault else None)
            if fault is not None and answer.fault == fault.kind:
                answer = shaped(answer, fault)
            self._windows.announce(answer.headers, now)
        answer.headers["x-request-id"] = f"req_sim_{self.requests}"
        self.statuses[answer.status] += 1
        if answer.fault is not None:
            self.faults_met[answer.fault] += 1
        if self.arrivals is not None:
            self.arrivals.append(Arrival(now, tokens, answer.status))
        return answer

    def _apply_capacity(self, now: float) -> None:
        """Apply the capacity of this time."""
        capacity = self._conditions.capacity_at(now)
        if capacity != self._capacity:
            self._capacity = capacity
            self._windows.scale(capacity)
            if self._slots is not None:
                self._slots.scale(capacity, now)

    def _decide(
        self, headers: Mapping[str, str], body: bytes, now: float, fault: str | None
    ) -> tuple[SimReply, int]:
        """The answer, and the tokens counted against the limit."""
        delay_s = self._latency.draw(self._seed, self.requests)
        request = self._read(headers, body)
        if isinstance(request, Refusal):
            return refuse(request, delay_s=delay_s), 0
        if (exceeded := self._windows.exceeded(_ONE_REQUEST, now)) is not None:
            return self._limited(exceeded, _ONE_REQUEST), 0
        if fault is not None and fault in INSTEAD:
            self._windows.take(_ONE_REQUEST, now)
            return self._struck(fault, delay_s), 0
        name = blake2b(body, digest_size=12, key=self._hash_key).hexdigest()
        try:
            text = self._write(request, name)
        except Unfillable as error:
            message = f"Invalid schema for response_format: {error}."
            return refuse(Refusal(400, message, None, "response_format"), delay_s=delay_s), 0
        return self._grant(request, body, text, name, fault, now, delay_s)

    def _grant(
        self,
        request: Mapping[str, Any],
        body: bytes,
        text: str,
        name: str,
        fault: str | None,
        now: float,
        delay_s: float,
    ) -> tuple[SimReply, int]:
        """As `_decide`, for the text that the model has written."""
        blocks = () if self._prefixes is None else block_keys(request["messages"])
        cached_tokens = self._prefixes.known_tokens(blocks) if self._prefixes else 0
        usage, is_cut = count_usage(text, body, request, fault, cached_tokens)
        tokens = usage.prompt_tokens + usage.completion_tokens
        amounts = {
            "requests": 1,
            "tokens": tokens,
            "input-tokens": usage.prompt_tokens - cached_tokens,
            "output-tokens": usage.completion_tokens,
        }
        if (exceeded := self._windows.exceeded(amounts, now)) is not None:
            return self._limited(exceeded, amounts), 0
        self._windows.take(amounts, now)
        if self._prefixes is not None:
            self._prefixes.keep(blocks)
        self.prompt_tokens += usage.prompt_tokens
        self.cached_tokens += cached_tokens
        if self._slots is not None:
            delay_s = self._slots.serve(delay_s, now)
        return complete(text, usage, name, fault, delay_s, is_cut=is_cut), tokens

    def _read(self, headers: Mapping[str, str], body: bytes) -> Mapping[str, Any] | Refusal:
        """The request, or its refusal."""
        if not self._is_authorized(headers):
            return REFUSALS["key"]
        try:
            request: dict[str, Any] = orjson.loads(body)
        except orjson.JSONDecodeError:
            return NOT_JSON
        return check(request, self._behaviour) or request

    def _is_authorized(self, headers: Mapping[str, str]) -> bool:
        if self._key is None:
            return True
        given = {name.lower(): value for name, value in headers.items()}
        return given.get("authorization") == f"Bearer {self._key}"

    def _limited(self, exceeded: RateExceeded, amounts: Mapping[str, int]) -> SimReply:
        hint, refusal_s = self._limits.retry_after, self._limits.refusal_s
        return limited(exceeded, amounts[exceeded.name], retry_after=hint, delay_s=refusal_s)

    def _struck(self, kind: str, delay_s: float) -> SimReply:
        if REFUSALS.get(kind, NOT_JSON).status == 429:
            delay_s = self._limits.refusal_s
        return struck(kind, retry_after=self._limits.retry_after, delay_s=delay_s)
