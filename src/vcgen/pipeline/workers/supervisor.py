"""A run done by several processes, because one Python process keeps one core busy.

This process holds the run directory, starts the workers, divides the limits among them and adds up
what they tell; it sends no request. Its end, however it comes, ends the workers: each notices that
nobody tells it anything any more. Until the last has ended, the directory stays locked.
"""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process, TaskGroup
from anyio.streams.buffered import BufferedByteReceiveStream

from vcgen.engine.budget import Budget
from vcgen.engine.chat import Usage
from vcgen.engine.config import Limits
from vcgen.engine.limits.per_limit import WINDOW_S
from vcgen.engine.limits.token_bucket import MARGIN_S
from vcgen.errors import BudgetSpent, RunStopped, StoreError, UsageError
from vcgen.pipeline.progress import RunSnapshot, total
from vcgen.pipeline.runner import GRACE_S, Run
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.workers.protocol import Command, Status, WorkerSpec, decode, encode

# Not from the working directory: a file there that is named like a module is the user's own.
COMMAND = (sys.executable, "-P", "-m", "vcgen.pipeline.workers.worker")
MOST = 1000  # where nothing has to be divided
LATE_S = 2.0  # a worker that has not ended so long after the grace period is killed
HAND_ON_S = WINDOW_S + MARGIN_S
_LINE_BYTES = 1 << 20
_ERRORS = {"UsageError": UsageError, "StoreError": StoreError, "BudgetSpent": BudgetSpent}


@dataclass(slots=True)
class _Worker:
    number: int
    tally: RunSnapshot = field(default_factory=RunSnapshot)
    orders: ByteSendStream | None = None
    ended_at: float | None = None

    async def tell(self, message: WorkerSpec | Command) -> None:
        # One that is gone hears nothing; whoever reads its reports sees that.
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            if self.orders is not None:
                await self.orders.send(encode(message))


class WorkerPool:
    """What a `Run` is to those who watch it, done by worker processes.

    Attributes:
        limits: of the whole run, all endpoints together.
        stopped: why the run is ending early, None while it is not.

    Args:
        run: opened, so that all is checked and the directory is ours; it does no work itself.
        job: what the workers are told.
    """

    def __init__(self, run: Run, job: WorkerSpec) -> None:
        self.limits = run.limits
        self.stopped: Exception | None = None
        self._spent: BudgetSpent | None = None
        self._run = run
        self._store = cast("RunDirectory", run.store)  # a job has an output
        self._job = job
        self._workers = [_Worker(number) for number in range(1, job.workers + 1)]
        self._samples = self._wanted()
        self._stopping = anyio.Event()

    @property
    def tasks(self) -> int:
        """How many samples each clip is to have."""
        return self._run.tasks

    def tally(self) -> RunSnapshot:
        """The sum of what the workers have told so far."""
        return total(worker.tally for worker in self._workers)

    def cost_of(self, usage: Usage) -> float | None:
        """US dollars, None if the model's price is not known."""
        return self._run.cost_of(usage)

    def summary(self) -> dict[str, Any]:
        """As of a `Run`."""
        stopped = None if self.stopped is None else str(self.stopped)
        return self._run.summary(self.tally()) | {"stopped": stopped}

    def stop(self, reason: Exception) -> None:
        """Let the workers send nothing more; what is in flight has `GRACE_S` seconds to arrive."""
        if self.stopped is None:
            self.stopped = reason
            self._stopping.set()

    async def work(self) -> None:
        """Do the whole run.

        Raises:
            VcgenError: as for `Run.work`; RunStopped also where a worker was killed.
        """
        async with anyio.create_task_group() as attendants:
            async with anyio.create_task_group() as workers:
                attendants.start_soon(self._end_grace, workers)
                for worker in self._workers:
                    workers.start_soon(self._attend, worker, attendants)
            attendants.cancel_scope.cancel()
        if any(worker.ended_at is None for worker in self._workers):
            self._store.recount()
        self.stopped = self.stopped or self._spent
        if self.stopped is not None and not isinstance(self.stopped, BudgetSpent):
            raise self.stopped

    async def _attend(self, worker: _Worker, attendants: TaskGroup) -> None:
        if self._samples[worker.number - 1] == 0:
            worker.ended_at = float("-inf")
            return
        try:
            process = await self._start()
        except OSError as error:
            self.stop(RunStopped(f"worker {worker.number} did not start: {error.strerror}"))
            return
        async with process:
            worker.orders = process.stdin
            job = self._job.limited(self._shares()[worker.number - 1])
            budget, samples = job.budget.part(job.workers), self._samples[worker.number - 1]
            part = replace(job, number=worker.number, budget=budget, samples=samples)
            await worker.tell(part)
            if self.stopped is not None:
                await worker.tell(Command(stop=str(self.stopped)))
            report = await self._listen(worker, process)
            code = await process.wait()
        worker.tally = replace(worker.tally, in_flight=0)
        if report is None:
            how = f"exit code {code}" if code >= 0 else signal.strsignal(-code)
            self.stop(RunStopped(f"worker {worker.number} of {self._job.workers} died: {how}"))
            return
        worker.ended_at = anyio.current_time()
        if report.error is not None:
            kind, message = report.error
            reason = _ERRORS.get(kind, RunStopped)(message)
            if isinstance(reason, BudgetSpent):
                self._spent = reason  # the others may still have something of theirs
            else:
                self.stop(reason)
        attendants.start_soon(self._divide_anew)

    def _wanted(self) -> Sequence[int | None]:
        """How many records each worker is to add."""
        if self._job.samples is None:
            return [None] * self._job.workers
        left = max(0, self._job.samples - self._store.records)
        return _split(left, [True] * self._job.workers)

    async def _start(self) -> Process:
        """A process of its own session, which a terminal's Ctrl-C does not reach."""
        lock = self._store.copy_lock()
        try:
            return await anyio.open_process(
                COMMAND, stderr=None, start_new_session=True, pass_fds=(lock,)
            )
        finally:
            os.close(lock)

    async def _listen(self, worker: _Worker, process: Process) -> Status | None:
        """The last report of a worker, None if it ended without one."""
        lines = BufferedByteReceiveStream(cast("ByteReceiveStream", process.stdout))
        with suppress(anyio.IncompleteRead, anyio.EndOfStream, anyio.BrokenResourceError):
            while True:
                report = decode(Status, await lines.receive_until(b"\n", _LINE_BYTES))
                self._take_in(worker, report.tally)
                if report.done:
                    return report
        return None

    def _take_in(self, worker: _Worker, tally: RunSnapshot) -> None:
        before, now = worker.tally.progress, tally.progress
        worker.tally = tally
        self._store.count(now.records - before.records, now.rejects - before.rejects)

    def _shares(self) -> dict[int, tuple[Limits, ...]]:
        now = anyio.current_time()
        ended = [None if x.ended_at is None else now - x.ended_at for x in self._workers]
        return shares(self._job.limits, ended)

    async def _divide_anew(self) -> None:
        for pause_s in (0.0, HAND_ON_S + 1.0):  # one more, as a timer may come a moment early
            await anyio.sleep(pause_s)
            for at, limits in self._shares().items():
                await self._workers[at].tell(Command(limits=limits))

    async def _end_grace(self, workers: TaskGroup) -> None:
        await self._stopping.wait()
        for worker in self._workers:
            await worker.tell(Command(stop=str(self.stopped)))
        await anyio.sleep(GRACE_S + LATE_S)
        workers.cancel_scope.cancel()


def most_workers(limits: Sequence[Limits], budget: Budget) -> int:
    """How many processes limits and budget can be divided among, each with something of each."""
    divided = [budget.tokens, budget.requests]
    for each in limits:
        divided += [each.in_flight, *each.rates]
    return min((amount for amount in divided if amount is not None), default=MOST)


def shares(
    limits: Sequence[Limits], ended_s: Sequence[float | None]
) -> dict[int, tuple[Limits, ...]]:
    """What each worker still at work may use of each endpoint, by its place in `ended_s`.

    Requests in flight go over to the others at once. What a worker was allowed a minute does only a
    minute after its end: until then, what it sent counts in the same minute. No share ever shrinks.

    Args:
        limits: of the whole run, one an endpoint.
        ended_s: how many seconds ago each ended, None while it is at work.
    """
    divided = [_divided(each, ended_s) for each in limits]
    return {at: tuple(parts[at] for parts in divided) for at in divided[0]}


def _divided(limits: Limits, ended_s: Sequence[float | None]) -> dict[int, Limits]:
    working = [seconds is None for seconds in ended_s]
    counting = [seconds is None or seconds < HAND_ON_S for seconds in ended_s]
    most = limits.in_flight
    in_flight = [None] * len(ended_s) if most is None else _split(most, working)
    rpm, tpm, input_tpm, output_tpm = (
        [None] * len(ended_s) if rate is None else _split(rate, counting) for rate in limits.rates
    )
    return {
        at: Limits(
            rpm=rpm[at],
            tpm=tpm[at],
            input_tpm=input_tpm[at],
            output_tpm=output_tpm[at],
            concurrency=in_flight[at],
            processes=sum(counting),
        )
        for at, works in enumerate(working)
        if works
    }


def _split(amount: int, takes: Sequence[bool]) -> list[int]:
    """An amount in whole parts as equal as can be, the first ones one larger; 0 for the others."""
    each, more = divmod(amount, max(1, sum(takes)))
    ranks = [sum(takes[:at]) for at in range(len(takes))]
    return [(each + (rank < more)) * took for rank, took in zip(ranks, takes, strict=True)]
