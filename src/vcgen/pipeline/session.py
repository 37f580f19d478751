"""Open a run: check the options, build engines, judge and store, close them after."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypedDict

from vcgen.checks.codes import require_codes
from vcgen.data.readers.inputs import InputStream
from vcgen.data.records import is_simulated
from vcgen.engine import pricing
from vcgen.engine.budget import Budget, BudgetLedger
from vcgen.engine.config import DEFAULT_TIMEOUT_S, Endpoint, Limits
from vcgen.engine.engine import Engine
from vcgen.engine.models import require_temperature, thinking_of
from vcgen.engine.pool import running_loop
from vcgen.engine.pricing import FREE, Price
from vcgen.engine.transport.base import Transport
from vcgen.errors import UsageError
from vcgen.pipeline.isolation import fails_alone
from vcgen.pipeline.runner import Deliver, Run
from vcgen.pipeline.samples import SampleMaker, recipe_hash
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.store.manifest import GivenRates, Manifest
from vcgen.sim import SimTransport, in_memory, is_in_memory
from vcgen.tasks.judge import TEMPLATE, Judge
from vcgen.tasks.parsing import has_answer
from vcgen.tasks.recipe import Recipe
from vcgen.tasks.registry import builtin_tasks, find_task
from vcgen.tasks.task import Task
from vcgen.tasks.task_mix import TaskMix

if TYPE_CHECKING:
    from vcgen.tasks.templates import Templates

_OPTIONAL = ("weights", "checks", "effort", "thinking_room", "thinking_marks", "keep_reasoning")

Model = str | Endpoint | Sequence[Endpoint]


class Options(TypedDict, total=False):
    """Keyword arguments of `generate_batch`, `stream` and `run`, besides clips and model.

    Keys:
        tasks: names, or results of `@vcgen.task`, all for each clip; by default the recipe's.
        max_records: end with this number of records; by default with the input.
        output: the run directory; without it outcomes are returned and not stored.
        limits: of each endpoint that has no limits of its own.
        budget: the most that this run may spend.
        recipe: turns, kinds, language, seed and the like.
        templates: a directory of your own; its files replace the built-in ones of their name.
        timeout_s: deadline of one attempt, by default 120 s.
        hedge: send late requests a second time at the end of the run, see `vcgen.Engine`.
        transport: sends the requests, e.g. `vcgen.HttpxTransport(client)`.
        judge: a second model, by name or as an `Endpoint` with limits of its own; it compares each
            answer with the evidence, and contradicted samples become rejects.
    """

    tasks: Sequence[str | Task]
    max_records: int | None
    output: str | Path | None
    limits: Limits
    budget: Budget
    recipe: Recipe
    templates: str | Path | None
    timeout_s: float
    hedge: bool
    transport: Transport | None
    judge: str | Endpoint | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The values of `Options`, with defaults for those not given.

    Raise UsageError if `max_records` is below 1.
    """

    tasks: Sequence[str | Task] | None = None
    max_records: int | None = None
    output: Path | None = None
    limits: Limits = field(default_factory=Limits)
    budget: Budget = field(default_factory=Budget)
    recipe: Recipe = field(default_factory=Recipe)
    templates: Path | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    hedge: bool = False
    transport: Transport | None = None
    judge: str | Endpoint | None = None

    def __post_init__(self) -> None:
        if self.max_records is not None and self.max_records < 1:
            raise UsageError(f"max_records must be at least 1, not {self.max_records}")

    @classmethod
    def from_options(cls, options: Options) -> Self:
        """Fill in defaults; None is one for every option.

        Raise UsageError if an option is unknown, or as for `Settings`.
        """
        if unknown := options.keys() - Options.__annotations__.keys():
            valid = ", ".join(Options.__annotations__)
            raise UsageError(f"unknown option {', '.join(sorted(unknown))}; choose from {valid}")
        given = {name: value for name, value in options.items() if value is not None}
        for name in ("output", "templates"):
            if path := given.pop(name, None):
                given[name] = Path(str(path))
        return cls(**given)  # type: ignore[arg-type]  # the types are those of Options


@asynccontextmanager
async def open_run(
    rows: InputStream,
    model: Model,
    options: Options,
    deliver: Deliver | None = None,
    *,
    worker: int | None = None,
) -> AsyncIterator[Run]:
    """Yield a run ready to work: all options checked, directory and engines open.

    Args:
        worker: the number of a worker process, which joins the directory of its parent.

    Raises:
        UsageError, StoreError: as for `generate_batch`.
    """
    from vcgen.tasks.templates import Templates  # noqa: PLC0415 - jinja2, which importing vcgen need not load

    settings = Settings.from_options(options)
    endpoints, judge_endpoint = _endpoints(model), _judge_endpoint(settings.judge)
    mix, recipe = task_mix(settings)
    _require_parameters(endpoints[0].model, recipe)
    prompts = Templates(settings.templates)
    if set(mix.tasks) <= set(builtin_tasks().values()):  # a task of the user's may render any
        prompts.require_used()
    price, now = price_of(endpoints), _clock()
    budget = settings.budget
    # `Run` ends a run in time; no ledger is needed where only the time is limited.
    ledger = None if budget == Budget(seconds=budget.seconds) else BudgetLedger(budget, price)
    engine = _engine(endpoints, settings, recipe, ledger, settings.transport)
    judge = None
    if judge_endpoint is not None:
        judge = _judge(judge_endpoint, endpoints, settings, recipe, ledger, prompts)
    manifest = _manifest(endpoints, settings.limits, judge_endpoint, recipe, prompts, now())
    store, output, wanted = None, settings.output, settings.max_records
    if output is not None and worker is None:
        store = RunDirectory.open(output, manifest)
    elif output is not None and worker is not None:
        store = RunDirectory.join(output, worker)
    if wanted is not None and store is not None and worker is None:
        wanted -= store.records  # for a worker, the supervisor has subtracted them
    try:
        # The input's files are closed here, not when the last reference to an error is dropped.
        async with aclosing(rows), engine, nullcontext() if judge is None else judge.engine:
            yield Run(
                rows,
                mix,
                SampleMaker(prompts, recipe, price, now, judge, fails_alone),
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


def choose_transport(endpoints: Sequence[Endpoint]) -> Transport | None:
    """Return the simulator for endpoints in memory, None for the engine's default transport."""
    return SimTransport() if is_in_memory(endpoints[0]) else None


def price_of(endpoints: Sequence[Endpoint]) -> Price | None:
    """Return the price of tokens, None if it is unknown or differs between endpoints."""
    if all(is_in_memory(endpoint) and endpoint.price is None for endpoint in endpoints):
        return FREE
    return pricing.price_of(endpoints)


def _endpoints(model: Model) -> tuple[Endpoint, ...]:
    if isinstance(model, str):
        return (_endpoint(model),)
    given: Sequence[object] = model if isinstance(model, Sequence) else (model,)
    endpoints = tuple(in_memory(item) for item in given if isinstance(item, Endpoint))
    if not endpoints or len(endpoints) < len(given):
        raise UsageError("model: give a name, an Endpoint or a list of at least one Endpoint")
    first, seen = endpoints[0], set()
    for endpoint in endpoints:
        if endpoint.model != first.model:
            raise UsageError(
                f"a run has one model, not {first.model!r} and {endpoint.model!r}; give the name "
                "that an endpoint has for it as its deployment"
            )
        if is_in_memory(endpoint) != is_in_memory(first):
            raise UsageError("a run goes to servers or to the simulator in memory, not to both")
        if (identity := (endpoint.url, endpoint.key, endpoint.served_model)) in seen:
            raise UsageError(f"the endpoint {endpoint.base_url} is given twice, with the same key")
        seen.add(identity)
    return endpoints


def _endpoint(model: str) -> Endpoint:
    if is_simulated(model):
        return in_memory(Endpoint(model=model))
    return Endpoint.from_environment(model)


def _judge_endpoint(judge: object) -> Endpoint | None:
    if isinstance(judge, str):
        return _endpoint(judge)
    if judge is None:
        return None
    if not isinstance(judge, Endpoint):
        raise UsageError("judge: give a name or an Endpoint")
    return in_memory(judge)


def _require_parameters(model: str, recipe: Recipe) -> None:
    """Raise UsageError for parameters that the model is known to refuse."""
    thinking_of(model, recipe.effort)
    require_temperature(model, recipe.effort, recipe.temperature)


def task_mix(settings: Settings) -> tuple[TaskMix, Recipe]:
    """Return the tasks of a run, and its recipe with their names."""
    recipe = settings.recipe
    require_codes(recipe.checks)
    weights = recipe.weights if settings.tasks is None else None
    tasks = tuple(map(find_task, recipe.tasks if settings.tasks is None else settings.tasks))
    names = tuple(task.name for task in tasks)
    return TaskMix(tasks, weights, recipe.seed), replace(recipe, tasks=names, weights=weights)


def _clock() -> Callable[[], datetime]:
    """Return date and time by the loop's clock, which is virtual in tests."""
    loop, started = running_loop(), datetime.now(UTC)
    began = loop.time()
    return lambda: started + timedelta(seconds=loop.time() - began)


def _engine(
    endpoints: Sequence[Endpoint],
    settings: Settings,
    recipe: Recipe,
    ledger: BudgetLedger | None,
    transport: Transport | None,
) -> Engine:
    return Engine(
        endpoints,
        limits=settings.limits,
        budget=ledger,
        timeout_s=settings.timeout_s,
        transport=transport or choose_transport(endpoints),
        seed=recipe.seed,
        hedge=settings.hedge,
        is_usable=has_answer,
    )


def _judge(
    endpoint: Endpoint,
    judged: Sequence[Endpoint],
    settings: Settings,
    recipe: Recipe,
    ledger: BudgetLedger | None,
    prompts: "Templates",
) -> Judge:
    price = price_of([endpoint])
    # The caller's transport reaches servers or the simulator, not both.
    is_alike = is_in_memory(endpoint) == is_in_memory(judged[0])
    engine = _engine(
        [endpoint],
        replace(settings, limits=Limits()),
        recipe,
        None if ledger is None else ledger.at(price),
        settings.transport if is_alike else None,
    )
    return Judge(engine, price, prompts, recipe)


def _manifest(
    endpoints: Sequence[Endpoint],
    limits: Limits,
    judge: Endpoint | None,
    recipe: Recipe,
    prompts: "Templates",
    started: datetime,
) -> Manifest:
    model = endpoints[0].model
    allowed = Limits.combine([endpoint.limits or limits for endpoint in endpoints])
    content = asdict(recipe)
    tasks = content.pop("tasks")
    # Left out while they have their defaults, so that older directories can be continued.
    defaults = asdict(Recipe())
    for optional in _OPTIONAL:
        if content[optional] == defaults[optional]:
            del content[optional]
    templates = prompts.digests()
    if judge is None:
        del templates[TEMPLATE]
    return Manifest(
        started=started.isoformat(timespec="seconds"),
        recipe_hash=recipe_hash(recipe),
        simulated=is_simulated(model),
        limits=(GivenRates(allowed.rpm, allowed.tpm),),
        model=model,
        tasks=tasks,
        recipe=content,
        templates=templates,
        judge=None if judge is None else judge.model,
        body=endpoints[0].body,
    )
