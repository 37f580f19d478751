"""Answer one call: attempt it, decide, follow the decision, until it is answered or fails.

`retry` decides, from the outcome and the situation that is put together here.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import anyio

from vcgen.engine.call import Attempt, Call
from vcgen.engine.chat import Completion, Failure
from vcgen.engine.dispatcher import Dispatcher
from vcgen.engine.limits.limiter import EndpointLimiter
from vcgen.engine.limits.permit import (
    Completed,
    Failed,
    Refused,
    Stale,
    Starved,
    Stray,
    Throttled,
    Unreachable,
)
from vcgen.engine.limits.scheduler import NoEndpointLeft
from vcgen.engine.refused_alike import CONFIGURED, FIRST, RefusedAlike
from vcgen.engine.retry import (
    FORGIVEN_S,
    AskElsewhere,
    Decision,
    Downgrade,
    Fail,
    FailureReason,
    Requeue,
    Retry,
    Situation,
    StopRun,
    decide,
)
from vcgen.errors import RequestFailed, RunStopped

# How long a refused call waits for others, where nothing is answered and nothing is in flight.
UNPROVEN_S = 1.0
UNUSABLE = "an answer without usable text"


class Retrying:
    """Answers calls.

    Args:
        dispatcher: sends each attempt.
        random: of the jitter.
        is_usable: as for `Engine`.
    """

    def __init__(
        self, dispatcher: Dispatcher, random: Random, is_usable: Callable[[Completion], bool]
    ) -> None:
        self._pausing = self._held = 0
        self._dispatcher = dispatcher
        self._scheduler = dispatcher.scheduler
        self._counters = dispatcher.counters
        self._random = random
        self._is_usable = is_usable
        self._has_peers = len(dispatcher.clients) > 1
        self._alike = {limiter: RefusedAlike() for limiter in dispatcher.clients}
        self._learned = anyio.Event()
        self._stopping = anyio.Event()

    @property
    def pausing(self) -> int:
        """Calls that wait for a retry; of those whose refusal is held, as many as prove it."""
        return self._pausing + min(self._held, FIRST)

    def stop(self, reason: RunStopped) -> None:
        """Send nothing more: queued calls raise `reason`, and those that wait try no longer."""
        self._dispatcher.stop(reason)
        self._stopping.set()
        self._learn()

    async def answer(self, call: Call) -> Completion:
        """Answer a call.

        Raises:
            RequestFailed, RunStopped, BudgetSpent: as `Engine.complete`.
        """
        answered: EndpointLimiter | None = None
        try:
            while True:
                attempt = await self._dispatcher.attempt(call)
                if isinstance(attempt.result, Completion):
                    limiter = attempt.permit.limiter
                    self._on_answered(limiter)
                    attempt.client.learn(call.request, attempt.capabilities)
                    completion = _complete(call, attempt.result)
                    if not self._has_peers or self._is_usable(completion):
                        answered = limiter
                        call.affinity.begun, call.affinity.preferred = True, answered
                        return completion
                    if not self._scheduler.is_any_left({*call.failures, limiter}):
                        return completion
                    call.unusable = completion
                    decision: Decision = AskElsewhere(FailureReason.INVALID_RESPONSE)
                else:
                    decision = self._decide(call, attempt, attempt.result)
                if isinstance(decision, Fail | AskElsewhere):
                    decision = await self._blamed(decision, call, attempt)
                await self._follow(decision, call, attempt)
        except NoEndpointLeft:
            if call.unusable is not None:
                return call.unusable
            reason, message = [*call.failures.values()][-1]
            raise RequestFailed(reason, message, attempts=call.sent) from None
        finally:
            if call.refusals:
                self._scheduler.settle(call.refusals, answered)

    def _decide(self, call: Call, attempt: Attempt, failure: Failure) -> Decision:
        outcome, limiter = attempt.outcome, attempt.permit.limiter
        circuit = limiter.circuit
        now = anyio.current_time()
        if isinstance(outcome, Throttled | Stray):
            self._counters.throttled += 1
        call.strays += isinstance(outcome, Stray)
        call.stale += isinstance(outcome, Stale)
        # No connection is never the request's fault; an error reply may be.
        is_forgiven = isinstance(outcome, Unreachable) or circuit.failing_s(now) < FORGIVEN_S
        in_outage = circuit.is_open and is_forgiven
        situation = Situation(
            attempts=call.attempts,
            strays=call.strays,
            stale=call.stale,
            draw=self._random.random(),
            downgrade=attempt.client.downgrade(call.request, attempt.capabilities, failure),
            is_outage=circuit.explains(attempt.permit) or in_outage,
            is_last=all(limiter.is_disabled for limiter in self._scheduler.limiters),
            has_peer=self._scheduler.is_any_left({*call.failures, attempt.permit.limiter}),
            stalled=self._stalled(attempt, failure, now),
        )
        return decide(failure, outcome, situation)

    async def _blamed(
        self, decision: Fail | AskElsewhere, call: Call, attempt: Attempt
    ) -> Decision:
        """Decide whether a refusal is the call's fault, or that of a wrong configuration.

        Where that is not known yet, the call waits until another is answered, or nothing is in
        flight any more.
        """
        limiter, failure = attempt.permit.limiter, attempt.result
        alike = self._alike[limiter]
        if isinstance(failure, Completion) or not _may_be_configured(failure, decision.reason):
            return decision
        alike.on_refused(call, failure.code or failure.message)
        if isinstance(decision, AskElsewhere):
            return decision
        await self._until_known(limiter, alike, failure)
        if not limiter.is_disabled:
            return decision
        is_last = all(each.is_disabled for each in self._scheduler.limiters)
        return StopRun(limiter.disabled_because or "") if is_last else Requeue()

    async def _until_known(
        self, limiter: EndpointLimiter, alike: RefusedAlike, failure: Failure
    ) -> None:
        """Wait until the endpoint has answered, or its configuration is to blame."""
        self._held += 1
        try:
            while alike.is_held and not (limiter.is_disabled or self._stopping.is_set()):
                is_idle = not limiter.concurrency.in_flight
                if is_idle and alike.is_long:
                    limiter.disable(f"the endpoint refuses all requests alike: {failure.message}")
                    self._scheduler.settle({}, None)
                    self._learn()
                    return
                with anyio.move_on_after(UNPROVEN_S) as waiting:
                    await self._learned.wait()
                if waiting.cancelled_caught and is_idle:
                    return
        finally:
            self._held -= 1

    def _on_answered(self, limiter: EndpointLimiter) -> None:
        alike = self._alike[limiter]
        was_held = alike.is_held
        alike.on_answered()
        if was_held:
            self._learn()

    def _learn(self) -> None:
        """Wake calls that wait to learn whose fault their refusals are."""
        self._learned.set()
        self._learned = anyio.Event()

    def _stalled(self, attempt: Attempt, failure: Failure, now: float) -> str | None:
        """Why no endpoint can be waited for any longer, None while one can."""
        limiter = attempt.permit.limiter
        circuit = limiter.circuit
        is_away = isinstance(attempt.outcome, Throttled | Unreachable | Starved) or (
            isinstance(attempt.outcome, Failed) and circuit.is_open
        )
        if not is_away or not all(limiter.is_given_up(now) for limiter in self._scheduler.limiters):
            return None
        seconds = max(circuit.failing_s(now), limiter.concurrency.starved_s(now))
        url = attempt.client.endpoint.url
        return f"{url} has given no answer for {seconds:.0f} s: {failure.message}"

    async def _follow(self, decision: Decision, call: Call, attempt: Attempt) -> None:
        match decision:
            case AskElsewhere(reason):
                self._counters.retries += 1
                limiter, message = attempt.permit.limiter, _message(attempt)
                call.failures[limiter] = reason, message
                if isinstance(attempt.outcome, Refused | Completed):
                    call.refusals[limiter] = message
                    self._scheduler.hold(limiter)
            case Fail(reason):
                message = _message(attempt)
                raise RequestFailed(reason, message, attempts=call.sent)
            case StopRun(message):
                stopped = RunStopped(message)
                self.stop(stopped)
                raise stopped
            case Downgrade(capabilities):
                call.capabilities[attempt.client] = capabilities
            case Retry(delay_s):
                self._counters.retries += 1
                await self._pause(call, attempt, delay_s)
            case Requeue():
                self._counters.retries += 1

    async def _pause(self, call: Call, attempt: Attempt, delay_s: float) -> None:
        """Wait before a retry; ends early when the engine stops."""
        if not isinstance(attempt.outcome, Stray):
            call.attempts += not isinstance(attempt.outcome, Unreachable)
            owed_s = self._dispatcher.retry_budget.spend(anyio.current_time())
            self._scheduler.hold_failed(attempt.permit, owed_s)
            call.retry_at = self._scheduler.peer_of(attempt.permit.limiter)
            delay_s = max(delay_s, owed_s)
        self._pausing += 1
        try:
            with anyio.move_on_after(delay_s):
                await self._stopping.wait()
        finally:
            self._pausing -= 1


def _may_be_configured(failure: Failure, reason: FailureReason) -> bool:
    """Whether the key, a parameter or the address may be to blame for a refusal."""
    return reason in CONFIGURED or failure.status == 403


def _complete(call: Call, completion: Completion) -> Completion:
    """A completion with the requests of its call, and the usage of those that were unusable."""
    if call.sent == 1:
        return completion
    usage = completion.usage
    if call.unusable is not None:
        usage = call.unusable.usage + usage
    return replace(completion, attempts=call.sent, usage=usage)


def _message(attempt: Attempt) -> str:
    return attempt.result.message if isinstance(attempt.result, Failure) else UNUSABLE
