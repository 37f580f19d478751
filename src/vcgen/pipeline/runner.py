"""A run: clips in, outcomes out. A worker takes a clip, does its tasks in turn, takes the next.

Lazy and bounded: there are as many workers as requests may be in flight and nothing is read ahead.
Every sample ends as exactly one outcome, or was not started. One that has its outcome from the same
evidence is not made again.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from itertools import count
from typing import Any

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from vcgen.data.clips import Clip
from vcgen.data.hashing import hash_hex
from vcgen.data.readers.read import Placed, content_of, to_clip
from vcgen.data.records import Outcome, Record, Reject
from vcgen.engine.chat import Usage
from vcgen.engine.config import Limits
from vcgen.engine.engine import Counters, Engine
from vcgen.engine.limits.bottleneck import BottleneckTimes, Limit
from vcgen.errors import BudgetSpent, Reason, RunStopped, StoreError, VcgenError
from vcgen.pipeline.progress import Progress, RunSnapshot
from vcgen.pipeline.quota import RecordQuota
from vcgen.pipeline.samples import SampleMaker, sample_id
from vcgen.pipeline.store.compact import CompactMap
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.store.places import Places
from vcgen.tasks.clip_context import ClipContext
from vcgen.tasks.judge import Judge
from vcgen.tasks.task import Task
from vcgen.tasks.task_mix import TaskMix

SYNC_EVERY_S = 0.25
LOOK_EVERY_S = 0.23  # at what limits; not in step with what happens four times a second
GRACE_S = 10.0
_BREATHE_EVERY = 1000  # clips that are done already

Deliver = Callable[[Outcome], Awaitable[None]]


class Run:
    """One run of some tasks over some clips. Built within the loop that it works in.

    Attributes:
        stopped: why the run is ending early, None while it is not.

    Args:
        clips: the input.
        mix: the tasks of each clip, done in their order.
        samples: how a sample is made.
        engine: what is asked.
        store: where outcomes go, None to keep none.
        deliver: gets each outcome after it was written.
        deadline_s: seconds after which nothing more is sent.
        wanted: how many records to make, None for all there can be.
    """

    def __init__(
        self,
        clips: AsyncIterator[Placed],
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
        self._clips = clips
        self._mix = mix
        self._quota = RecordQuota(wanted)
        self._samples = samples
        self._judge = samples.judge
        self._engines = (engine,) if self._judge is None else (engine, self._judge.engine)
        self._deliver = deliver
        self._deadline_s = deadline_s
        self._places = Places()
        self._refused = CompactMap("I")
        self._limiting: defaultdict[str, float] = defaultdict(float)  # seconds by factor
        self._workers = 1
        self._is_exhausted = False
        self._taking = asyncio.Lock()
        self._stopping = anyio.Event()

    @property
    def limits(self) -> Limits:
        """What the endpoint allows."""
        return self.engine.limits

    @property
    def tasks(self) -> int:
        """How many samples each clip is to have."""
        return self._mix.size

    def tally(self) -> RunSnapshot:
        """What the run has come to so far."""
        engine, limiting = self.engine, BottleneckTimes(**self._limiting)
        judging = Counters() if self._judge is None else self._judge.engine.counters
        return RunSnapshot(
            self.progress, engine.counters, engine.in_flight, limiting, engine.slots, judging
        )

    def cost_of(self, usage: Usage) -> float | None:
        """US dollars, None if the model's price is not known."""
        price = self._samples.price
        return None if price is None else price.of(usage)

    def summary(self, tally: RunSnapshot | None = None) -> dict[str, Any]:
        """Counts for people and programs: outcomes of the whole directory, the rest of this run.

        `tally` is that of others who did the work, None if this process did it.
        """
        tally = tally or self.tally()
        progress, counters, store = tally.progress, tally.counters, self.store
        seconds = anyio.current_time() - self._began_s
        records = store.records if store else progress.records
        rejects = store.rejects if store else progress.rejects
        return {
            "samples": records + rejects.total(),
            "records": records,
            "rejects": rejects.total(),
            "rejects_by_reason": dict(sorted(rejects.items())),
            "resumed": progress.resumed,
            "requests": counters.requests,
            "retries": counters.retries,
            "throttled": counters.throttled,
            "usage": asdict(counters.usage),
            "cost": self.cost_of(counters.usage),
            "seconds": round(seconds, 3),
            "records_per_second": round(progress.records / max(seconds, 1e-9), 1),
            "limited_by": tally.limiting.shares(),
            "stopped": None if self.stopped is None else str(self.stopped),
            "model": self.engine.endpoint.model,
            "output": str(store.path) if store else None,
            "judge": None if self._judge is None else _used(self._judge, tally.judging),
        }

    def stop(self, reason: Exception) -> None:
        """Send nothing more; what is in flight has `GRACE_S` seconds to arrive."""
        if self.stopped is None:
            self.stopped = reason
            self._stopping.set()
            for engine in self._engines:
                engine.stop(RunStopped(str(reason)))

    def change(self, limits: Sequence[Limits]) -> None:
        """Go by other limits from now on, one an endpoint, the judge's last."""
        own = len(self.engine.endpoints)
        self.engine.change(limits[:own])
        if self._judge is not None:
            self._judge.engine.change(limits[own:])

    async def work(self) -> None:
        """Do the whole run.

        Raises:
            RunStopped: it ended early and can be continued; not if its budget was spent.
            UsageError: a template turned out wrong.
            StoreError: the disk refused.
        """
        async with anyio.create_task_group() as attendants:
            async with anyio.create_task_group() as workers:
                attendants.start_soon(self._end_grace, workers)
                attendants.start_soon(self._sync)
                attendants.start_soon(self._watch_limits, workers)
                attendants.start_soon(self._end_in_time)
                workers.start_soon(self._worker, workers)
            attendants.cancel_scope.cancel()
        if self.store is not None:
            self.store.sync()
        if self.stopped is not None and not isinstance(self.stopped, BudgetSpent):
            raise self.stopped

    async def _worker(self, workers: TaskGroup) -> None:
        while (placed := await self._take()) is not None:
            # Whoever finds work calls one more, so that few clips start few.
            self._call(workers, most=1)
            try:
                await self._do(*placed)
            except VcgenError as error:
                self.stop(error)

    def _call(self, workers: TaskGroup, most: int) -> None:
        """Start workers up to as many as the engine can use, which may have become more."""
        askers = sum(engine.askers for engine in self._engines)
        for _ in range(min(most, askers - self._workers)):
            self._workers += 1
            workers.start_soon(self._worker, workers)

    async def _take(self) -> Placed | None:
        placed = None
        async with self._taking:
            if self.stopped is None and not self._quota.is_met:
                try:
                    placed = await anext(self._clips, None)
                except Exception as error:  # noqa: BLE001 - the caller's iterator; raised by `work`
                    self.stop(error)
        self.progress.clips += placed is not None
        self._is_exhausted = placed is None
        return placed

    async def _do(self, place: str, row: Any) -> None:
        if self.progress.clips % _BREATHE_EVERY == 0:
            # Where all is done already nothing waits; an interrupt and the display get their turn.
            await anyio.lowlevel.checkpoint()
        item = to_clip(place, row)
        if isinstance(item, Clip):
            first = self._places.take(item.id, place)
            if first is None:
                await self._do_clip(item)
                return
            message = f"{place}: the clip id {item.id!r} was taken at {first}"
            item = Reject(id=place, reason=Reason.DUPLICATE_CLIP, message=message)
        await self._refuse(item, row)

    async def _refuse(self, reject: Reject, row: Any) -> None:
        """The end of a row that is no clip, which is known again wherever it then stands."""
        content = hash_hex(content_of(row))
        # Rows that say the same are told apart by how many there were before.
        name = f"{content}/{self._refused.count(content)}"
        if self._is_done(name) or self._is_done(reject.id):
            self.progress.continued.add()
            self.progress.resumed += 1
            return
        if self.store is not None and self.store.has_id(reject.id):
            reject = replace(reject, id=f"{reject.id} {name}")
        await self._finish(replace(reject, meta={**reject.meta, "row": name}))

    async def _do_clip(self, clip: Clip) -> None:
        tasks, calls = self._mix.of(clip.id), ClipContext(clip, self.engine, self.store)
        due = [(task, sample) for task in tasks if (sample := self._due(task, calls))]
        self.progress.resumed += len(tasks) - len(due)
        for number, (task, sample) in enumerate(due, 1):
            if not await self._quota.begin():
                break
            try:
                outcome = await self._samples.make(task, calls, sample)
            except BaseException:
                self._quota.end(with_record=False)
                calls.keep()
                raise
            self._quota.end(with_record=isinstance(outcome, Record))
            if number < len(due):
                calls.keep()
            await self._finish(outcome)
        continued = calls.continued or len(due) < len(tasks)
        kind = self.progress.continued if continued else self.progress.ended
        kind.add(calls.replies)

    def _due(self, task: Task, calls: ClipContext) -> str | None:
        """The id of a sample that is to be made, None if it has its outcome.

        A clip whose evidence has changed is another one: its samples are the next variant.
        """
        for variant in count():
            sample = sample_id(calls.clip.id, task, variant)
            if self.store is None or not self.store.is_done(sample):
                return sample
            if self.store.is_made_from(sample, calls.evidence):
                return None
        raise AssertionError("unreachable: there is no last variant")

    async def _finish(self, outcome: Outcome) -> None:
        if self.store is not None:
            self.store.add(outcome)
        if isinstance(outcome, Record):
            self.progress.records += 1
        else:
            self.progress.rejects[outcome.reason.value] += 1
        if self._deliver is not None:
            await self._deliver(outcome)

    def _is_done(self, sample: str) -> bool:
        return self.store is not None and self.store.is_done(sample)

    async def _end_grace(self, workers: TaskGroup) -> None:
        await self._stopping.wait()
        await anyio.sleep(GRACE_S)
        workers.cancel_scope.cancel()

    async def _end_in_time(self) -> None:
        if self._deadline_s is not None:
            await anyio.sleep_until(self._began_s + self._deadline_s)
            self.stop(BudgetSpent(f"the budget of {self._deadline_s:,g} seconds is spent"))

    async def _watch_limits(self, workers: TaskGroup) -> None:
        looked_at = anyio.current_time()
        while True:
            await anyio.sleep(LOOK_EVERY_S)
            now = anyio.current_time()
            self._limiting[self._limited_by()] += now - looked_at
            looked_at = now
            # Once nobody takes clips any more, there may be no workers left to join.
            if not self._is_exhausted and self.stopped is None:
                self._call(workers, most=sum(engine.askers for engine in self._engines))

    def _limited_by(self) -> Limit:
        """Where nobody asks the model, it may be because all wait for the judge."""
        factors = [engine.limited_by for engine in self._engines]
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


def _used(judge: Judge, counters: Counters) -> dict[str, Any]:
    """What the judge was asked, for the summary."""
    return {
        "model": judge.engine.endpoint.model,
        "requests": counters.requests,
        "usage": asdict(counters.usage),
        "cost": None if judge.price is None else judge.price.of(counters.usage),
    }
