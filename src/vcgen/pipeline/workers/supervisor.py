"""A run done by several processes, because one Python process keeps one core busy.

This process holds the run directory, starts the workers, divides the limits among them and adds up
their counts; it sends no request. Its end, however it comes, ends the workers: each reads the end
of its input. The directory stays locked until the last worker has ended.

While this process is stopped (Ctrl-Z, SIGSTOP) it sends no heartbeats, and after `SILENCE_S` its
workers send no requests. They go on with the first heartbeat.
"""

import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import cast

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process, TaskGroup
from anyio.streams.buffered import BufferedByteReceiveStream

from vcgen.engine.budget import Budget
from vcgen.engine.chat import Usage
from vcgen.engine.config import Limits
from vcgen.engine.limits.per_limit import WINDOW_S
from vcgen.engine.limits.token_bucket import MARGIN_S
from vcgen.errors import BudgetSpent, RunStopped, StoreError, UsageError, VcgenError
from vcgen.pipeline.progress import RunSnapshot, RunSummary, sum_of
from vcgen.pipeline.runner import GRACE_S, Run
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.workers.protocol import (
    HEARTBEAT_S,
    Command,
    Status,
    WorkerSpec,
    decode,
    encode,
)

# -P: a file in the working directory may have the name of a module.
COMMAND = (sys.executable, "-P", "-m", "vcgen.pipeline.workers.worker")
MAX_WORKERS = 1000  # where no limit and no budget has to be divided
LATE_S = 2.0  # after the grace period, before a worker is killed
REASSIGN_S = WINDOW_S + MARGIN_S  # until the rates of an ended worker go to others
_LINE_BYTES = 1 << 20
_ERRORS = {"UsageError": UsageError, "StoreError": StoreError, "BudgetSpent": BudgetSpent}


@dataclass(slots=True)
class _Worker:
    number: int
    snapshot: RunSnapshot = field(default_factory=RunSnapshot)
    commands: ByteSendStream | None = None
    ended_at: float | None = None

    async def send(self, message: WorkerSpec | Command) -> None:
        # `_read_statuses` handles a worker that has ended.
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            if self.commands is not None:
                await self.commands.send(encode(message))


class WorkerPool:
    """A run like `Run`, whose work is done by worker processes.

    Attributes:
        limits: of the whole run, all endpoints together.
        stopped: why the run is ending early, None while it is not.

    Args:
        run: opened, so that the options are checked and the directory is locked; does no work.
        spec: the whole run.
    """

    def __init__(self, run: Run, spec: WorkerSpec) -> None:
        self.limits = run.limits
        self.stopped: Exception | None = None
        self._spent: BudgetSpent | None = None
        self._run = run
        self._store = cast("RunDirectory", run.store)  # a spec has an output
        self._spec = spec
        self._workers = [_Worker(number) for number in range(1, spec.workers + 1)]
        self._max_records = self._divide_records()
        self._stopping = anyio.Event()

    @property
    def tasks(self) -> int:
        return self._run.tasks

    def snapshot(self) -> RunSnapshot:
        return sum_of(worker.snapshot for worker in self._workers)

    def cost_of(self, usage: Usage) -> float | None:
        return self._run.cost_of(usage)

    def summary(self) -> RunSummary:
        stopped = None if self.stopped is None else str(self.stopped)
        return replace(self._run.summary(self.snapshot()), stopped=stopped)

    def stop(self, reason: Exception) -> None:
        if self.stopped is None:
            self.stopped = reason
            self._stopping.set()

    async def work(self) -> None:
        """Do the whole run.

        Raises:
            VcgenError: as for `Run.work`; RunStopped also where a worker was killed.
        """
        async with anyio.create_task_group() as background:
            async with anyio.create_task_group() as workers:
                background.start_soon(self._end_grace, workers)
                for worker in self._workers:
                    workers.start_soon(self._supervise, worker, background)
            background.cancel_scope.cancel()
        if isinstance(self.stopped, StoreError):  # files with counted lines may be gone
            with suppress(VcgenError):
                self._store.recount()
        elif any(worker.ended_at is None for worker in self._workers):
            self._store.recount()
        self.stopped = self.stopped or self._spent
        if self.stopped is not None and not isinstance(self.stopped, BudgetSpent):
            raise self.stopped

    async def _supervise(self, worker: _Worker, background: TaskGroup) -> None:
        if self._max_records[worker.number - 1] == 0:
            worker.ended_at = float("-inf")
            return
        try:
            process = await self._start()
        except OSError as error:
            self.stop(RunStopped(f"worker {worker.number} did not start: {error.strerror}"))
            return
        async with process:
            worker.commands = process.stdin
            await worker.send(self._part(worker.number))
            if self.stopped is not None:
                await worker.send(Command(stop=str(self.stopped)))
            async with anyio.create_task_group() as heart:
                heart.start_soon(self._beat, worker)
                last = await self._read_statuses(worker, process)
                heart.cancel_scope.cancel()
            code = await process.wait()
        worker.snapshot = replace(worker.snapshot, in_flight=0)
        if last is None:
            how = f"exit code {code}" if code >= 0 else signal.strsignal(-code)
            self.stop(RunStopped(f"worker {worker.number} of {self._spec.workers} died: {how}"))
            return
        worker.ended_at = anyio.current_time()
        if last.error is not None:
            kind, message = last.error
            reason = _ERRORS.get(kind, RunStopped)(message)
            if isinstance(reason, BudgetSpent):
                self._spent = reason  # other workers may have some of their budgets left
            else:
                self.stop(reason)
        background.start_soon(self._reassign)

    async def _beat(self, worker: _Worker) -> None:
        while True:
            await anyio.sleep(HEARTBEAT_S)
            await worker.send(Command())

    def _part(self, number: int) -> WorkerSpec:
        spec = self._spec.with_limits(self._divide_limits()[number - 1])
        return replace(
            spec,
            number=number,
            budget=spec.budget.part(spec.workers),
            max_records=self._max_records[number - 1],
        )

    def _divide_records(self) -> Sequence[int | None]:
        """Return how many records each worker is to add."""
        if self._spec.max_records is None:
            return [None] * self._spec.workers
        left = max(0, self._spec.max_records - self._store.records)
        return _split(left, [True] * self._spec.workers)

    async def _start(self) -> Process:
        """Start a process in a session of its own, so that Ctrl-C at a terminal misses it."""
        return await anyio.open_process(
            COMMAND, stderr=None, start_new_session=True, pass_fds=(self._store.lock_descriptor,)
        )

    async def _read_statuses(self, worker: _Worker, process: Process) -> Status | None:
        """Return the last status of a worker, None if it ended without one."""
        lines = BufferedByteReceiveStream(cast("ByteReceiveStream", process.stdout))
        with suppress(anyio.IncompleteRead, anyio.EndOfStream, anyio.BrokenResourceError):
            while True:
                status = decode(Status, await lines.receive_until(b"\n", _LINE_BYTES))
                self._count(worker, status.snapshot)
                if status.done:
                    return status
        return None

    def _count(self, worker: _Worker, snapshot: RunSnapshot) -> None:
        before, now = worker.snapshot.progress, snapshot.progress
        worker.snapshot = snapshot
        self._store.count(now.records - before.records, now.rejects - before.rejects)

    def _divide_limits(self) -> dict[int, tuple[Limits, ...]]:
        now = anyio.current_time()
        ended = [None if x.ended_at is None else now - x.ended_at for x in self._workers]
        return divide_limits(self._spec.limits, ended)

    async def _reassign(self) -> None:
        for pause_s in (0.0, REASSIGN_S + 1.0):  # one more, as a timer may be a moment early
            await anyio.sleep(pause_s)
            for at, limits in self._divide_limits().items():
                await self._workers[at].send(Command(limits=limits))

    async def _end_grace(self, workers: TaskGroup) -> None:
        await self._stopping.wait()
        for worker in self._workers:  # one that reads nothing must not keep the others from it
            workers.start_soon(worker.send, Command(stop=str(self.stopped)))
        await anyio.sleep(GRACE_S + LATE_S)
        workers.cancel_scope.cancel()


RunHandle = Run | WorkerPool
"""A run to watch and to stop, whether one process does it or several."""


def most_workers(limits: Sequence[Limits], budget: Budget) -> int:
    """Return how many processes can have a part of each limit and of the budget."""
    divided = [budget.tokens, budget.requests]
    for endpoint in limits:
        divided += [endpoint.in_flight, *endpoint.rates]
    return min((amount for amount in divided if amount is not None), default=MAX_WORKERS)


def divide_limits(
    limits: Sequence[Limits], ended_s: Sequence[float | None]
) -> dict[int, tuple[Limits, ...]]:
    """Divide limits among the workers still at work.

    Returns each one's limits, one an endpoint, by its index in `ended_s`. Other workers get the
    concurrency of an ended one at once, but its rates only after a minute: until then its last
    requests count in the same window. No part ever shrinks.

    Args:
        limits: of the whole run, one an endpoint.
        ended_s: seconds since each worker ended, None while it is at work.
    """
    divided = [_divide(endpoint, ended_s) for endpoint in limits]
    return {at: tuple(parts[at] for parts in divided) for at in divided[0]}


def _divide(limits: Limits, ended_s: Sequence[float | None]) -> dict[int, Limits]:
    working = [seconds is None for seconds in ended_s]
    counting = [seconds is None or seconds < REASSIGN_S for seconds in ended_s]
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
    """Split an amount among those that take, in whole parts that differ by at most one."""
    least, more = divmod(amount, max(1, sum(takes)))
    ranks = [sum(takes[:at]) for at in range(len(takes))]
    return [(least + (rank < more)) * took for rank, took in zip(ranks, takes, strict=True)]
