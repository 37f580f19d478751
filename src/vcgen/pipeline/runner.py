"""A run: clips in, outcomes out. A pool of jobs; each does the tasks of one clip, in their order.

Lazy and bounded: as many clips are under way as the engines can use, and nothing is read ahead.
Every sample ends as exactly one outcome, or was not started. A sample that has its outcome from the
same evidence is not made again.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import count
from typing import Any

import anyio
import anyio.lowlevel

from vcgen.data.clips import Clip
from vcgen.data.hashing import hash_hex
from vcgen.data.readers.inputs import InputStream
from vcgen.data.readers.read import InputRow, content_of, to_clip
from vcgen.data.records import Outcome, Reason, Record, Reject
from vcgen.engine.chat import Usage
from vcgen.engine.config import Limits
from vcgen.engine.dispatcher import Counters
from vcgen.engine.engine import Engine
from vcgen.engine.limits.bottleneck import BottleneckTimes, Limit
from vcgen.engine.pool import JobPool
from vcgen.errors import BudgetSpent, RunStopped, StoreError
from vcgen.pipeline.background import run_with_background
from vcgen.pipeline.faults import stopped_by
from vcgen.pipeline.progress import (
    JudgeSummary,
    Progress,
    RunSnapshot,
    RunSummary,
    commonest_messages,
)
from vcgen.pipeline.quota import RecordQuota
from vcgen.pipeline.samples import SampleMaker, sample_id
from vcgen.pipeline.store.compact import CompactMap
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.tasks.clip_context import ClipContext
from vcgen.tasks.judge import Judge
from vcgen.tasks.task import Task
from vcgen.tasks.task_mix import TaskMix

SYNC_EVERY_S = 0.25  # at most this much is paid twice after a power cut
LOOK_EVERY_S = 0.23  # not in step with other events that occur four times a second
GRACE_S = 10.0
TASK_ERRORS_IN_A_ROW = 3  # stop the run
TRIAL_SAMPLES = 5  # for each record wanted, stop a run that makes none
_BY_A_FAULT = frozenset({Reason.TASK_ERROR, Reason.INTERNAL_ERROR})  # of code, not of text
_CHECKPOINT_EVERY = 1000  # clips that are done already

Deliver = Callable[[Outcome], Awaitable[None]]


class Run:
    """One run of some tasks over some clips. Built within the loop that it works in.

    Attributes:
        stopped: why the run is ending early, None while it is not.

    Args:
        rows: the input.
        mix: the tasks of each clip, done in their order.
        samples: makes the samples.
        engine: sends the requests.
        store: keeps the outcomes, None to keep none.
        deliver: gets each outcome after it was written.
        deadline_s: seconds after which nothing more is sent.
        wanted: number of records to make, None for the whole input.
    """

    def __init__(
        self,
        rows: AsyncIterator[InputRow],
        mix: TaskMix,
        samples: SampleMaker,
        engine: Engine,
        *,
        store: RunDirectory | None = None,
        deliver: Deliver | None = None,
        deadline_s: float | None = None,
        wanted: int | None = None,
    ) -> None:
        self.engine = engine
        self.store = store
        self.progress = Progress()
        self.stopped: Exception | None = None
        self._began_s = anyio.current_time()
        self._rows = rows
        self._mix = mix
        self._wanted = wanted
        self._quota = RecordQuota(wanted)
        self._samples = samples
        self._judge = samples.judge
        self._engines = (engine,) if self._judge is None else (engine, self._judge.engine)
        self._deliver = deliver
        self._deadline_s = deadline_s
        self._seen_ids = CompactMap("B")  # a set of ids, in some 10 bytes each
        self._invalid_rows = CompactMap("I")  # how often each content came
        self._task_errors = Counter[str]()  # in a row, by task
        self._bottlenecks: defaultdict[str, float] = defaultdict(float)  # seconds by factor
        self._input = self._rows_until_stopped()
        self._pool = JobPool(self._input, self._do_row, wanted=self._wanted_jobs)
        self._jobs = anyio.CancelScope()
        self._stopping = anyio.Event()

    @property
    def limits(self) -> Limits:
        """What all endpoints allow together."""
        return self.engine.limits

    @property
    def tasks(self) -> int:
        """Number of samples each clip is to have."""
        return self._mix.size

    def snapshot(self) -> RunSnapshot:
        """Counts so far."""
        engine, limiting = self.engine, BottleneckTimes(**self._bottlenecks)
        left_out = tuple(engine.left_out.items())
        judging = Counters() if self._judge is None else self._judge.engine.counters
        return RunSnapshot(
            self.progress,
            engine.counters,
            engine.in_flight,
            limiting,
            engine.slots,
            judging,
            left_out,
        )

    def cost_of(self, usage: Usage) -> float | None:
        """US dollars, None if the model's price is unknown."""
        price = self._samples.price
        return None if price is None else price.of(usage)

    def summary(self, snapshot: RunSnapshot | None = None) -> RunSummary:
        """Summarize the run directory and this run.

        Args:
            snapshot: counts of other processes that did the work, None if this process did it.
        """
        snapshot = snapshot or self.snapshot()
        progress, counters, store = snapshot.progress, snapshot.counters, self.store
        seconds = anyio.current_time() - self._began_s
        records = store.records if store else progress.records
        rejects = store.rejects if store else progress.rejects
        return RunSummary(
            samples=records + rejects.total(),
            records=records,
            rejects=rejects.total(),
            rejects_by_reason=dict(sorted(rejects.items())),
            rejects_by_code=dict(progress.codes.most_common()),
            commonest_messages=commonest_messages(progress.messages),
            resumed=progress.resumed,
            requests=counters.requests,
            retries=counters.retries,
            throttled=counters.throttled,
            usage=counters.usage,
            cost=None if counters.unmetered else self.cost_of(counters.usage),
            seconds=round(seconds, 3),
            records_per_second=round(progress.records / max(seconds, 1e-9), 1),
            limited_by=snapshot.limiting.shares(),
            left_out=dict(snapshot.left_out),
            stopped=None if self.stopped is None else str(self.stopped),
            model=self.engine.endpoint.model,
            output=str(store.path) if store else None,
            judge=None if self._judge is None else _judge_summary(self._judge, snapshot.judging),
        )

    def stop(self, reason: Exception) -> None:
        """Send nothing more; requests in flight have `GRACE_S` seconds to finish."""
        if self.stopped is None:
            self.stopped = reason
            self._stopping.set()
            for engine in self._engines:
                engine.stop(RunStopped(str(reason)))

    def pause(self) -> None:
        """Send nothing until `resume`; replies still arrive and are kept."""
        for engine in self._engines:
            engine.pause()

    def resume(self) -> None:
        """End a pause."""
        for engine in self._engines:
            engine.resume()

    def change(self, limits: Sequence[Limits]) -> None:
        """Apply other limits from now on, one an endpoint, the judge's last."""
        own = len(self.engine.endpoints)
        self.engine.change(limits[:own])
        if self._judge is not None:
            self._judge.engine.change(limits[own:])
        self._pool.grow()

    async def work(self) -> None:
        """Do the whole run.

        Raises:
            RunStopped: it ended early and can be continued; not if its budget was spent.
            UsageError: a template turned out wrong.
            StoreError: the disk refused.
        """
        await run_with_background(
            self._do_rows, self._end_grace, self._sync, self._watch_bottlenecks, self._end_in_time
        )
        if self.store is not None:
            self.store.settle()
        if self.stopped is not None and not isinstance(self.stopped, BudgetSpent):
            raise self.stopped

    async def _do_rows(self) -> None:
        with self._jobs:
            async with aclosing(self._input):
                await self._pool.run()

    def _wanted_jobs(self) -> int:
        return sum(engine.useful_callers for engine in self._engines)

    async def _rows_until_stopped(self) -> InputStream:
        while self.stopped is None and not self._quota.is_met:
            try:
                row = await anext(self._rows, None)
            except Exception as error:  # noqa: BLE001 - the caller's iterator; raised by `work`
                self.stop(error)
                return
            if row is None:
                return
            self.progress.clips += 1
            yield row

    async def _do_row(self, row: InputRow) -> None:
        if self.progress.clips % _CHECKPOINT_EVERY == 0:
            # A run that only skips finished clips never waits; let interrupts and the display run.
            await anyio.lowlevel.checkpoint()
        try:
            await self._do(*row)
        except Exception as error:  # noqa: BLE001 - raised by `work`
            self.stop(stopped_by(error))

    async def _do(self, place: str, row: Any) -> None:
        item = to_clip(place, row)
        if isinstance(item, Clip):
            if self._seen_ids.add(item.id, 1) is None:
                await self._do_clip(item)
                return
            message = f"{place}: the clip id {item.id!r} is taken by an earlier row"
            item = Reject(id=place, reason=Reason.DUPLICATE_CLIP, message=message)
        await self._refuse(item, row)

    async def _refuse(self, reject: Reject, row: Any) -> None:
        """Reject an invalid row; its content identifies it, wherever in the file it is."""
        content = hash_hex(content_of(row))
        # Rows of the same content are numbered.
        name = f"{content}/{self._invalid_rows.count(content)}"
        if self._is_done(name) or self._is_done(reject.id):
            self.progress.resumed += 1
            return
        if self.store is not None and self.store.has_id(reject.id):
            reject = replace(reject, id=f"{reject.id} {name}")
        await self._finish(replace(reject, meta={**reject.meta, "row": name}))

    async def _do_clip(self, clip: Clip) -> None:
        tasks, context = self._mix.of(clip.id), ClipContext(clip, self.engine, self.store)
        due = [(task, sample) for task in tasks if (sample := self._due(task, context))]
        self.progress.resumed += len(tasks) - len(due)
        for number, (task, sample) in enumerate(due, 1):
            if not await self._quota.begin():
                break
            try:
                outcome = await self._samples.make(task, context, sample)
                self._require_working(task, outcome)
            except BaseException:
                self._quota.end(with_record=False)
                context.calls.flush()
                raise
            self._quota.end(with_record=isinstance(outcome, Record))
            if number < len(due):
                context.calls.flush()
            await self._finish(outcome)

    def _require_working(self, task: Task, outcome: Outcome) -> None:
        """Raise RunStopped if a task's last samples have all failed by a fault of code."""
        if not (isinstance(outcome, Reject) and outcome.reason in _BY_A_FAULT):
            self._task_errors[task.name] = 0
            return
        self._task_errors[task.name] += 1
        if self._task_errors[task.name] >= TASK_ERRORS_IN_A_ROW:
            raise RunStopped(f"{outcome.message}; the task's samples before failed too")

    def _due(self, task: Task, context: ClipContext) -> str | None:
        """Return the id of the sample to make, None if it has its outcome.

        Samples of a clip whose evidence has changed are the next variant.
        """
        for variant in count():
            sample = sample_id(context.clip.id, task, variant)
            if self.store is None or not self.store.is_done(sample):
                return sample
            if self.store.is_made_from(sample, context.evidence_hash):
                return None
        raise AssertionError("unreachable: there is no last variant")

    async def _finish(self, outcome: Outcome) -> None:
        if self.store is not None:
            self.store.add(outcome)
        if isinstance(outcome, Record):
            self.progress.records += 1
        else:
            self.progress.reject(outcome)
            self._stop_trial()
        if self._deliver is not None:
            await self._deliver(outcome)

    def _stop_trial(self) -> None:
        """Stop a run of a few records once many samples have ended without one."""
        progress, wanted = self.progress, self._wanted
        samples = progress.rejects.total() - progress.refused
        if wanted is None or progress.records or samples < TRIAL_SAMPLES * wanted:
            return
        message = next(iter(commonest_messages(progress.messages).values()))
        self.stop(RunStopped(f"{samples:,} samples and no record, most often: {message}"))

    def _is_done(self, sample: str) -> bool:
        return self.store is not None and self.store.is_done(sample)

    async def _end_grace(self) -> None:
        await self._stopping.wait()
        await anyio.sleep(GRACE_S)
        self._jobs.cancel()

    async def _end_in_time(self) -> None:
        if self._deadline_s is not None:
            await anyio.sleep_until(self._began_s + self._deadline_s)
            self.stop(BudgetSpent(f"the budget of {self._deadline_s:,g} seconds is spent"))

    async def _watch_bottlenecks(self) -> None:
        looked_at = anyio.current_time()
        while True:
            await anyio.sleep(LOOK_EVERY_S)
            now = anyio.current_time()
            self._bottlenecks[self._limited_by()] += now - looked_at
            looked_at = now
            # A job of several requests may learn of higher limits long before it ends.
            self._pool.grow()

    def _limited_by(self) -> Limit:
        # Nothing asks the model while all jobs wait for the judge: then the judge's limit counts.
        factors = [engine.bottleneck for engine in self._engines]
        return next((factor for factor in factors if factor != "caller"), "caller")

    async def _sync(self) -> None:
        if self.store is None:
            return
        while True:
            await anyio.sleep(SYNC_EVERY_S)
            try:
                # The loop's executor, not anyio's threads: virtual time has one that repeats.
                with anyio.CancelScope(shield=True):
                    await asyncio.get_running_loop().run_in_executor(None, self.store.sync)
            except StoreError as error:
                self.stop(error)
                return


def _judge_summary(judge: Judge, counters: Counters) -> JudgeSummary:
    return JudgeSummary(
        model=judge.engine.endpoint.model,
        requests=counters.requests,
        usage=counters.usage,
        cost=(
            None if judge.price is None or counters.unmetered else judge.price.of(counters.usage)
        ),
    )
