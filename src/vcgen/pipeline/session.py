"""Open a run: check the options, build engine, judge and store, close them after."""

import importlib.util
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from vcgen._version import __version__
from vcgen.checks.checker import require_codes
from vcgen.data.readers.inputs import PlacedStream
from vcgen.engine.budget import Budget, BudgetLedger
from vcgen.engine.config import Endpoint, Limits, is_simulated, together
from vcgen.engine.engine import Engine, running_loop
from vcgen.engine.pricing import FREE, Price, find_price, per_million
from vcgen.engine.transport.base import Transport
from vcgen.errors import UsageError
from vcgen.pipeline.runner import Deliver, Run
from vcgen.pipeline.samples import SampleMaker, recipe_hash
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.tasks.judge import TEMPLATE, Judge
from vcgen.tasks.recipe import Recipe
from vcgen.tasks.registry import find_task
from vcgen.tasks.task import Task
from vcgen.tasks.task_mix import TaskMix

if TYPE_CHECKING:
    from vcgen.tasks.templates import Templates


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
    from vcgen.tasks.templates import Templates  # noqa: PLC0415 - jinja2, which importing vcgen need not load

    prompts = Templates(Path(templates) if templates else None)
    price, budget = price_of(endpoints), options.get("budget") or Budget()
    spending = None if budget == Budget(seconds=budget.seconds) else BudgetLedger(budget, price)
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
    samples = SampleMaker(prompts, recipe, price, now, judge)
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
                "endpoint calls it is its deployment"
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


def _mix(options: Options) -> tuple[TaskMix, Recipe]:
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
    return TaskMix(tasks, weights, recipe.seed), replace(recipe, tasks=names, weights=weights)


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
    prompts: "Templates",
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
