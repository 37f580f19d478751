"""The simulated endpoint without a wire: a request's headers and bytes in, an answer out.

One object for both fronts, `SimTransport` and the HTTP server. It never reads a clock and never
waits: time is an argument, and the delay is part of the answer.
"""

import math
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b
from random import Random
from typing import Any, NamedTuple

import orjson

import vcgen.sim.faults as fault_kinds
from vcgen.errors import UsageError
from vcgen.sim.faults import Faults
from vcgen.sim.limits import Window
from vcgen.sim.model import Draft, completion, write
from vcgen.sim.validation import NOT_JSON, Behaviour, Refusal, check

# A constant, so that the same request brings the same bytes: 2026-01-01T00:00:00Z.
CREATED = 1_767_225_600


class Answer(NamedTuple):
    """What the endpoint does with one request.

    Attributes:
        headers: names in lower case; `content-length` is left to the front.
        delay_s: how long the front waits before it answers.
        fault: the fault this request met. `reset`, `close` and `hang` are done by the front, with
            the rest of the answer being what would have come.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    delay_s: float = 0.0
    fault: str | None = None


class Arrival(NamedTuple):
    """One request as it came: seconds of the caller's clock, tokens if it was granted, status."""

    time_s: float
    tokens: int
    status: int


class Simulator:
    """An OpenAI-compatible endpoint that costs nothing.

    Args:
        seed: changes what the model writes and which requests meet faults.
        latency_s: seconds every answer takes.
        rpm, tpm: true limits on requests and on tokens in any 60 s, None for none.
        faults: see `parse_faults`.
        key: the only key accepted, None accepts any.
        behaviour: what the endpoint understands.
        log_arrivals: keep `arrivals`; without it memory does not grow.

    Attributes:
        requests: how many came.
        statuses, faults_met: how many were answered with each.

    Raises:
        UsageError: a negative latency or a limit below 1.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        latency_s: float = 0.0,
        rpm: int | None = None,
        tpm: int | None = None,
        faults: Faults = Faults(),  # noqa: B008 - frozen
        key: str | None = None,
        behaviour: Behaviour = Behaviour(),  # noqa: B008 - frozen
        log_arrivals: bool = False,
    ) -> None:
        if not (math.isfinite(latency_s) and latency_s >= 0):
            raise UsageError(f"sim: the latency is {latency_s} s, not 0 or more")
        for name, limit in (("rpm", rpm), ("tpm", tpm)):
            if limit is not None and limit < 1:
                raise UsageError(
                    f"sim: {name} is {limit}, not 1 or more; leave it out for no limit"
                )
        self.requests = 0
        self.statuses: Counter[int] = Counter()
        self.faults_met: Counter[str] = Counter()
        self.arrivals: list[Arrival] | None = [] if log_arrivals else None
        self._seed, self._latency_s, self._faults = seed, latency_s, faults
        self._key, self._behaviour = key, behaviour
        self._requests_window = None if rpm is None else Window(rpm)
        self._tokens_window = None if tpm is None else Window(tpm)
        self._hash_key = str(seed).encode()

    def answer(self, headers: Mapping[str, str], body: bytes, now: float) -> Answer:
        """What a POST to `/chat/completions` brings, `now` being seconds of any steady clock."""
        self.requests += 1
        fault = self._faults.draw(self._seed, self.requests)
        answer, tokens = self._decide(headers, body, now, fault)
        answer.headers["x-request-id"] = f"req_sim_{self.requests}"
        self.statuses[answer.status] += 1
        if answer.fault is not None:
            self.faults_met[answer.fault] += 1
        if self.arrivals is not None:
            self.arrivals.append(Arrival(now, tokens, answer.status))
        if self._requests_window is not None:
            answer.headers.update(self._requests_window.headers("requests", now))
        if self._tokens_window is not None:
            answer.headers.update(self._tokens_window.headers("tokens", now))
        return answer._replace(delay_s=self._latency_s)

    def _decide(
        self, headers: Mapping[str, str], body: bytes, now: float, fault: str | None
    ) -> tuple[Answer, int]:
        """The answer, and the tokens it took of the limit."""
        if not self._is_authorized(headers):
            return refuse(fault_kinds.REFUSALS["key"]), 0
        try:
            request = orjson.loads(body)
        except orjson.JSONDecodeError:
            return refuse(NOT_JSON), 0
        if (refusal := check(request, self._behaviour)) is not None:
            return refuse(refusal), 0
        if (limited := self._limited(self._requests_window, 1, now, "requests")) is not None:
            return limited, 0
        if fault is not None and fault in fault_kinds.INSTEAD:
            self._take(0, now)
            return _struck(fault), 0
        name = blake2b(body, digest_size=12, key=self._hash_key).hexdigest()
        draft = write(request, body, Random(name))
        if isinstance(draft, Refusal):
            return refuse(draft), 0
        tokens = draft.usage.prompt_tokens + draft.usage.completion_tokens
        if (limited := self._limited(self._tokens_window, tokens, now, "tokens")) is not None:
            return limited, 0
        self._take(tokens, now)
        return _complete(request, draft, name, fault), tokens

    def _is_authorized(self, headers: Mapping[str, str]) -> bool:
        if self._key is None:
            return True
        given = {name.lower(): value for name, value in headers.items()}
        return given.get("authorization") == f"Bearer {self._key}"

    def _limited(self, window: Window | None, amount: int, now: float, what: str) -> Answer | None:
        wait_s = 0.0 if window is None else window.wait_s(amount, now)
        if window is None or wait_s <= 0:
            return None
        if math.isinf(wait_s):
            message = f"Request too large for sim on {what} per min: limit {window.limit}, "
            return refuse(_rate_limit(what, f"{message}requested {amount}."))
        message = f"Rate limit reached for sim on {what} per min: limit {window.limit}, used "
        refusal = _rate_limit(what, f"{message}{window.used}. Please try again in {wait_s:.3f}s.")
        answer = refuse(refusal)
        answer.headers["retry-after"] = str(math.ceil(wait_s))
        return answer

    def _take(self, tokens: int, now: float) -> None:
        if self._requests_window is not None:
            self._requests_window.take(1, now)
        if self._tokens_window is not None and tokens:
            self._tokens_window.take(tokens, now)


def refuse(refusal: Refusal) -> Answer:
    """The refusal as an answer."""
    return Answer(refusal.status, {"content-type": fault_kinds.JSON_TYPE}, refusal.body())


def _rate_limit(what: str, message: str) -> Refusal:
    return Refusal(429, message, "rate_limit_exceeded", None, what)


def _struck(kind: str) -> Answer:
    """The answer of a fault that takes the completion's place."""
    if kind in fault_kinds.PAGES:
        status, content_type, body = fault_kinds.PAGES[kind]
        return Answer(status, {"content-type": content_type}, body, fault=kind)
    answer = refuse(fault_kinds.REFUSALS[kind])._replace(fault=kind)
    if kind == "429":
        answer.headers["retry-after"] = "1"
    return answer


def _complete(request: Mapping[str, Any], draft: Draft, name: str, fault: str | None) -> Answer:
    """The completion, spoilt where the fault says so."""
    text, usage = draft.text, draft.usage
    limits = [request.get(limit) for limit in ("max_completion_tokens", "max_tokens")]
    most_tokens = min((limit for limit in limits if limit is not None), default=None)
    if fault in fault_kinds.IN_THE_JSON:
        spoilt = fault_kinds.spoil(fault, text)
        text, fault = (text, None) if spoilt is None else (spoilt, fault)
    if fault == "length":
        most_tokens = min(most_tokens or usage.completion_tokens, usage.completion_tokens // 2)
    body = completion(
        text,
        usage,
        name=name,
        created=CREATED,
        most_tokens=most_tokens,
        refusal=fault_kinds.REFUSED_TEXT if fault == "refusal" else None,
    )
    if fault == "cut":
        body = body[: len(body) // 2]
    return Answer(200, {"content-type": fault_kinds.JSON_TYPE}, body, fault=fault)
