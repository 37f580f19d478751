"""The calls users make: `generate_batch`, `stream`, `run`. Each checks all before it sends any."""

import asyncio
import importlib.util
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar, Unpack

import anyio

from vcgen._version import __version__
from vcgen.batch import Deliver, Run
from vcgen.checks import require_codes
from vcgen.config import Budget, Endpoint, Limits, is_simulated, together
from vcgen.engine import Engine, running_loop
from vcgen.errors import UsageError
from vcgen.intake import Clips, PlacedStream, intake
from vcgen.judge import TEMPLATE, Judge
from vcgen.mix import Mix
from vcgen.pricing import FREE, Price, find_price, per_million
from vcgen.recipe import Recipe
from vcgen.records import Outcome, Record, Reject, Usage
from vcgen.samples import Samples, recipe_hash
from vcgen.spending import Spending
from vcgen.store import RunDirectory, read_records, read_rejects
from vcgen.tasks import Task, find_task
from vcgen.transport import Transport

if TYPE_CHECKING:
    from vcgen.prompts import Prompts

_BUFFERED = 64  # outcomes a slow consumer of `stream` may leave waiting

T = TypeVar("T")
Model = str | Endpoint | Sequence[Endpoint]


class Options(TypedDict, total=False):
    """What `generate_batch`, `stream` and `run` take besides clips and model.

    Keys:
        tasks: names, or what `@vcgen.task` made, all for each clip; the recipe's if not given.
        samples: end once there are so many records; the whole input if not given.
        output: the run directory; without it outcomes are returned and kept nowhere.
        limits: what the endpoint allows, each of several that has no limits of its own.
        budget: what this run may spend.
        recipe: turns, kinds, language, seed and the like.
        templates: a directory of your own, whose files replace the built-in ones by name.
        timeout_s: deadline of one attempt, 120 s if not given.
        hedge: whether late requests are sent once more at the end, see `vcgen.Engine`.
        transport: what sends the requests, e.g. `vcgen.HttpxTransport(client)`.
        judge: another model, by name or as an `Endpoint` with limits of its own, that says of each
            answer whether the evidence supports it; contradicted samples become rejects.
    """

    tasks: Sequence[str | Task]
    samples: int | None
    output: str | Path | None
    limits: Limits
    budget: Budget
    recipe: Recipe
    templates: str | Path | None
    timeout_s: float
    hedge: bool
    transport: Transport | None
    judge: str | Endpoint | None


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """Outcomes in a run directory, read anew, one at a time, whenever they are iterated over."""

    path: Path
    count: int
    read: Callable[[Path], Iterator[T]]

    def __iter__(self) -> Iterator[T]:
        return self.read(self.path)

    def __len__(self) -> int:
        return self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run came to.

    Attributes:
        records, rejects: lists, or read lazily from the run directory where there is one; then they
            hold what earlier runs left there too.
        usage: tokens of this run, failed and repaired attempts included where they were answered;
            those of a judge are in the summary.
        cost: US dollars of them, None if the model's price is not known.
        seconds: that this run took.
        summary: counts of the run, as `vcgen generate --json` prints them.
    """

    records: list[Record] | Stored[Record]
    rejects: list[Reject] | Stored[Reject]
    usage: Usage
    cost: float | None
    seconds: float
    summary: dict[str, Any]


async def generate_batch(clips: Clips, *, model: Model, **options: Unpack[Options]) -> Result:
    """Generate the samples of all clips.

    Args:
        clips: a path, or an iterable or async iterable of `Clip` or dicts of its fields.
        model: a name (endpoint and key come from the environment), `sim`, an `Endpoint`, or several
            of one model, among which the requests are divided.
        options: see `Options`.

    Raises:
        UsageError: wrong use, before anything is sent.
        RunStopped: dead key, exhausted quota, unreachable endpoint; with `output`, continue by the
            same call.
        StoreError: the run directory could not be written.
    """
    records: list[Record] = []
    rejects: list[Reject] = []

    async def collect(outcome: Outcome) -> None:
        if isinstance(outcome, Record):
            records.append(outcome)
        else:
            rejects.append(outcome)

    deliver = None if options.get("output") else collect
    async with open_run(intake(clips), model, options, deliver) as opened:
        await opened.work()
    store, summary = opened.store, opened.summary()
    return Result(
        records=Stored(store.path, store.records, read_records) if store else records,
        rejects=Stored(store.path, store.rejects.total(), read_rejects) if store else rejects,
        usage=opened.engine.counters.usage,
        cost=summary["cost"],
        seconds=summary["seconds"],
        summary=summary,
    )


async def stream(
    clips: Clips, *, model: Model, **options: Unpack[Options]
) -> AsyncGenerator[Outcome, None]:
    """Outcomes as they finish, memory flat. Arguments and errors as for `generate_batch`.

    Leaving the loop early ends the run; with `output` it can be continued.
    """
    loop = running_loop()
    send, receive = anyio.create_memory_object_stream[Outcome](_BUFFERED)

    async def work() -> None:
        async with send, open_run(intake(clips), model, options, send.send) as opened:
            await opened.work()

    # A task of its own: a task group must not be held open across `yield`, where the consumer may
    # leave the loop or be cancelled.
    worker = loop.create_task(work())
    try:
        async with receive:
            async for outcome in receive:
                yield outcome
        await worker
    finally:
        worker.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([worker])
        if not worker.cancelled():
            worker.exception()  # raised above, or of no interest to a consumer that has left


def run(clips: Clips, *, model: Model, **options: Unpack[Options]) -> Result:
    """`generate_batch` for scripts: blocks until all is done. Not for code that runs in a loop."""

    async def main() -> Result:
        return await generate_batch(clips, model=model, **options)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return anyio.run(main, backend_options={"use_uvloop": use_uvloop()})
    raise UsageError("a loop is running here: await vcgen.generate_batch(...) instead of vcgen.run")


def use_uvloop() -> bool:
    """Whether uvloop is there; it is not on Windows."""
    return importlib.util.find_spec("uvloop") is not None


@asynccontextmanager
async def open_run(
    placed: PlacedStream,
    model: Model,
    options: Options,
    deliver: Deliver | None = None,
    *,
    worker: int | None = None,
) -> AsyncIterator[Run]:
    """A run ready to work: checks what was given, opens directory and engine, closes them after.

    `worker` is the number of one that joins the directory of the process that started it.

    Raises:
        UsageError, StoreError: as for `generate_batch`.
    """
    _check(options)
    endpoints, judging = _endpoints(model), _judging_endpoint(options)
    mix, recipe = _mix(options)
    templates = options.get("templates")
    from vcgen.prompts import Prompts  # noqa: PLC0415 - jinja2, which importing vcgen need not load

    prompts = Prompts(Path(templates) if templates else None)
    price, budget = price_of(endpoints), options.get("budget") or Budget()
    spending = None if budget == Budget(seconds=budget.seconds) else Spending(budget, price)
    now, limits, transport = _clock(), options.get("limits"), options.get("transport")
    build = partial(
        Engine,
        timeout_s=options.get("timeout_s", 120.0),
        hedge=options.get("hedge", False),
        seed=recipe.seed,
    )
    judge = None
    if judging is not None:
        cost = price_of([judging])
        books = None if spending is None else spending.at(cost)
        # What a caller sends by reaches servers or the simulator, not both.
        by = transport if judging.simulated == endpoints[0].simulated else None
        judge = Judge(build(judging, transport=by, spending=books), cost, prompts, recipe)
    samples = Samples(prompts, recipe, price, now, judge)
    wanted, output = options.get("samples"), options.get("output")
    store: RunDirectory | None = None
    if output and worker is not None:
        store = RunDirectory.join(Path(output), worker)
    elif output:
        manifest = _manifest(endpoints, limits, judging, recipe, prompts, now())
        store = RunDirectory.open(Path(output), manifest)
        if wanted is not None:
            wanted -= store.records
    try:
        engine = build(endpoints, limits=limits, transport=transport, spending=spending)
        judges = nullcontext() if judge is None else judge.engine
        # The input's files are closed now, not when the last trace of an error is forgotten.
        async with aclosing(placed), engine, judges:
            yield Run(
                placed,
                mix,
                samples,
                engine,
                store=store,
                deliver=deliver,
                deadline_s=budget.seconds,
                wanted=wanted,
            )
        if store is not None and worker is None:
            store.finish()
    finally:
        if store is not None:
            store.close()


def _check(options: Options) -> None:
    if strangers := options.keys() - Options.__annotations__.keys():
        known = ", ".join(Options.__annotations__)
        raise UsageError(f"no option {', '.join(sorted(strangers))}: there are {known}")
    samples = options.get("samples")
    if samples is not None and samples < 1:
        raise UsageError(f"samples must be at least 1, not {samples}")


def _endpoints(model: Model) -> tuple[Endpoint, ...]:
    if isinstance(model, str):
        return (Endpoint.from_environment(model),)
    given: Sequence[object] = model if isinstance(model, Sequence) else (model,)
    endpoints = tuple(each for each in given if isinstance(each, Endpoint))
    if not endpoints or len(endpoints) < len(given):
        raise UsageError("model: give a name, an Endpoint or a list of at least one Endpoint")
    first, seen = endpoints[0], set()
    for each in endpoints:
        if each.model != first.model:
            raise UsageError(
                f"a run belongs to one model, not to {first.model!r} and {each.model!r}; what an "
                "endpoint calls it is its served_as"
            )
        if each.simulated != first.simulated:
            raise UsageError("a run goes to servers or to the simulator in memory, not to both")
        if (same := (each.url, each.key, each.asked_for)) in seen:
            raise UsageError(f"the endpoint {each.base_url} is given twice, with the same key")
        seen.add(same)
    return endpoints


def _judging_endpoint(options: Options) -> Endpoint | None:
    judge = options.get("judge")
    if isinstance(judge, str):
        return Endpoint.from_environment(judge)
    if not (judge is None or isinstance(judge, Endpoint)):
        raise UsageError("judge: give a name or an Endpoint")
    return judge


def _clock() -> Callable[[], datetime]:
    """Date and time, by the loop's clock from now on."""
    loop, started = running_loop(), datetime.now(UTC)
    began = loop.time()
    return lambda: started + timedelta(seconds=loop.time() - began)


def _mix(options: Options) -> tuple[Mix, Recipe]:
    """The tasks of a run, and its recipe with their names."""
    recipe = options.get("recipe") or Recipe()
    require_codes(recipe.checks)
    named, weights = options.get("tasks"), recipe.weights
    if named is None:
        named = recipe.tasks
    else:
        weights = None
    tasks = tuple(map(find_task, named))
    names = tuple(task.name for task in tasks)
    return Mix(tasks, weights, recipe.seed), replace(recipe, tasks=names, weights=weights)


def price_of(endpoints: Sequence[Endpoint]) -> Price | None:
    """What tokens cost, None if that is not known, or not the same everywhere."""
    prices = {_price(each) for each in endpoints}
    return prices.pop() if len(prices) == 1 else None


def _price(endpoint: Endpoint) -> Price | None:
    if endpoint.price is not None:
        return per_million(*endpoint.price)
    return FREE if endpoint.simulated else find_price(endpoint.model, endpoint.base_url)


def _manifest(
    endpoints: Sequence[Endpoint],
    limits: Limits | None,
    judging: Endpoint | None,
    recipe: Recipe,
    prompts: "Prompts",
    started: datetime,
) -> dict[str, Any]:
    model = endpoints[0].model
    allowed = together([each.limits or limits or Limits() for each in endpoints])
    content = asdict(recipe)
    tasks = content.pop("tasks")
    for optional in ("weights", "checks"):
        if not content[optional]:
            del content[optional]
    templates = prompts.digests()
    judge: dict[str, str] = {}
    if judging is None:
        del templates[TEMPLATE]
    else:
        judge["judge"] = judging.model
    return {
        "layout": 1,
        "vcgen": __version__,
        "started": started.isoformat(timespec="seconds"),
        "recipe_hash": recipe_hash(recipe),
        "simulated": is_simulated(model),
        "limits": [{"rpm": allowed.rpm, "tpm": allowed.tpm}],
        "run": {
            "model": model,
            "tasks": tasks,
            "recipe": content,
            "templates": templates,
            **judge,
        },
    }
