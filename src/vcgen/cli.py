"""The command line.

Exit codes: 0 finished, 1 stopped and resumable, 2 wrong use, 3 finished with rejects under
`--strict`, 128 and the signal's number where one ended it (130 for Ctrl-C).
"""

import functools
import sys
import textwrap
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

import anyio
import orjson

from vcgen.api import DEFAULT_TASKS, Options, price_of, use_uvloop
from vcgen.clips import Clip
from vcgen.config import (
    DEFAULT_KINDS,
    Budget,
    Endpoint,
    Limits,
    Recipe,
    StructuredName,
    together,
)
from vcgen.endpoints import choose_endpoints, parse_price
from vcgen.errors import RunStopped, StoreError, UsageError
from vcgen.exporters import export_records
from vcgen.fleet import Fleet, most_workers
from vcgen.intake import intake_files
from vcgen.job import Job
from vcgen.options import (
    BaseUrlOption,
    ClipOption,
    ConcurrencyOption,
    DeadlineOption,
    EndpointOption,
    ExportFileOption,
    ExportFormatOption,
    FaultsOption,
    FormatOption,
    FreshOption,
    HedgeOption,
    Inputs,
    JsonOption,
    KeyOption,
    KindsOption,
    LanguageOption,
    LatencyOption,
    LimitOption,
    MaxCostOption,
    MaxRequestsOption,
    MaxTokensOption,
    MaxTotalOption,
    ModelOption,
    OutputOption,
    PortOption,
    PriceOption,
    RecordArgument,
    RefineOption,
    RepairsOption,
    RpmOption,
    RunArgument,
    SeedOption,
    SendersOption,
    SlotsOption,
    SpeechOption,
    StrictOption,
    StructuredOption,
    TasksOption,
    TemperatureOption,
    TemplateArgument,
    TemplatesOption,
    TimeoutOption,
    TpmOption,
    TurnsOption,
    WorkersOption,
    WrongUse,
    app,
    command,
)
from vcgen.plan import estimate
from vcgen.preview import preview
from vcgen.progress import print_plan, print_summary, tell
from vcgen.prompts import Prompts
from vcgen.ratelimits import duration_s
from vcgen.records import Kind, Record
from vcgen.sim import Conditions, Simulator, parse_faults, serve
from vcgen.sources import read_clips
from vcgen.store import RunDirectory, read_manifest, read_records, require_fresh
from vcgen.tasks import builtin_tasks
from vcgen.terminal import work_at_terminal

T = TypeVar("T")

BUILTIN, TASKS, KINDS = map(",".join, (builtin_tasks(), DEFAULT_TASKS, DEFAULT_KINDS))


def main(arguments: Sequence[str] | None = None) -> None:
    """The `vcgen` command; ends in SystemExit."""
    try:
        sys.exit(app(arguments, prog_name="vcgen", standalone_mode=False))
    except WrongUse as error:
        used = error.ctx.command_path if error.ctx else "vcgen"
        problem = error.format_message().rstrip(".")
        tell(f"vcgen: {problem}; see {used} --help")
        sys.exit(2)


@command
def generate(  # noqa: PLR0913 - one parameter an option, all by name
    inputs: Inputs,
    *,
    model: ModelOption,
    output: OutputOption,
    tasks: TasksOption = TASKS,
    turns: TurnsOption = "3-5",
    kinds: KindsOption = KINDS,
    refine: RefineOption = True,
    language: LanguageOption = "English",
    templates: TemplatesOption = None,
    seed: SeedOption = 0,
    temperature: TemperatureOption = None,
    max_tokens: MaxTokensOption = 1024,
    repairs: RepairsOption = 1,
    input_format: FormatOption = "auto",
    speech: SpeechOption = None,
    base_url: BaseUrlOption = None,
    api_key_env: KeyOption = None,
    endpoint: EndpointOption = None,
    structured: StructuredOption = "auto",
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    concurrency: ConcurrencyOption = None,
    price: PriceOption = None,
    max_cost: MaxCostOption = None,
    max_requests: MaxRequestsOption = None,
    max_total_tokens: MaxTotalOption = None,
    deadline: DeadlineOption = None,
    workers: WorkersOption = 1,
    timeout: TimeoutOption = 120.0,
    hedge: HedgeOption = False,
    fresh: FreshOption = False,
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write instruction data for the clips of INPUT into the directory of a run.

    The same command again continues where it stopped.
    """
    recipe = _recipe(
        turns,
        kinds,
        refine=refine,
        language=language,
        seed=seed,
        temperature=temperature,
        max_tokens=max_tokens,
        repairs=repairs,
    )
    common = Endpoint(
        model=model,
        structured=cast("StructuredName", structured),
        price=None if price is None else parse_price(price),
        limits=Limits(rpm=rpm, tpm=tpm, concurrency=concurrency),
    )
    endpoints = choose_endpoints(
        endpoint or (), common, base_url=base_url, key_variable=api_key_env
    )
    budget = Budget(
        cost=max_cost,
        requests=max_requests,
        tokens=max_total_tokens,
        seconds=None if deadline is None else _seconds(deadline),
    )
    job = Job(
        inputs=tuple(inputs),
        input_format=input_format,
        speech=speech,
        endpoints=endpoints,
        tasks=tuple(_names(tasks)),
        output=output,
        recipe=recipe,
        templates=templates,
        timeout_s=timeout,
        hedge=hedge,
        budget=budget,
        workers=min(workers, most_workers([each.limits for each in endpoints], budget)),
    )
    if fresh:
        require_fresh(output)
    summary = _run(functools.partial(_generate, job, as_json=as_json))
    if not as_json:
        print_summary(summary)
    if strict and summary["rejects"]:
        sys.exit(3)


async def _generate(job: Job, *, as_json: bool) -> dict[str, Any]:
    async with job.open(job.clips()) as run:
        _name_damage(run.store)
        work = run if job.workers == 1 else Fleet(run, job)
        try:
            await work_at_terminal(work, job.count_rows)
        except (RunStopped, StoreError) as error:
            records = work.summary()["records"]
            error.add_note(
                f"records so far: {records:,}, in {job.output}; the same command continues"
            )
            raise
        finally:
            if as_json:
                print(orjson.dumps(work.summary()).decode())
        return work.summary()


def _name_damage(store: RunDirectory | None) -> None:
    for name, lines in store.damaged.items() if store else ():
        tell(f"vcgen: damaged lines of {name} moved to {name}.bad: {lines:,}")


@command
def plan(  # noqa: PLR0913 - one parameter an option, all by name
    inputs: Inputs,
    *,
    model: ModelOption,
    tasks: TasksOption = TASKS,
    turns: TurnsOption = "3-5",
    kinds: KindsOption = KINDS,
    refine: RefineOption = True,
    language: LanguageOption = "English",
    templates: TemplatesOption = None,
    seed: SeedOption = 0,
    max_tokens: MaxTokensOption = 1024,
    input_format: FormatOption = "auto",
    speech: SpeechOption = None,
    base_url: BaseUrlOption = None,
    endpoint: EndpointOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    concurrency: ConcurrencyOption = None,
    latency: LatencyOption = 0.0,
    price: PriceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what `generate` would take: requests, tokens, money, hours. Nothing is sent.

    A sample of the clips is tried with the simulated model, so lengths of replies are a guess.
    """
    recipe = _recipe(
        turns, kinds, refine=refine, language=language, seed=seed, max_tokens=max_tokens
    )
    common = Endpoint(
        model=model,
        price=None if price is None else parse_price(price),
        limits=Limits(rpm=rpm, tpm=tpm, concurrency=concurrency),
    )
    endpoints = choose_endpoints(endpoint or (), common, base_url=base_url, key_variable=None)
    options = Options(
        tasks=_names(tasks),
        recipe=recipe,
        templates=templates,
        limits=together([each.limits for each in endpoints]),
    )
    clips = intake_files(inputs, input_format, speech)
    known = price_of([each.endpoint for each in endpoints])
    planned = _run(functools.partial(estimate, clips, known, options, latency))
    if as_json:
        print(orjson.dumps(planned).decode())
    else:
        print_plan(planned)


@command
def export(
    run: RunArgument,
    *,
    output: ExportFileOption,
    format_name: ExportFormatOption,
) -> None:
    """Write the records of a run as one file for a trainer.

    A JSON array, or one record a line if FILE ends in .jsonl.
    """
    manifest = read_manifest(run)
    written = export_records(read_records(run), format_name, output)
    tell(f"{written:,} records in {output}")
    if manifest.get("simulated"):
        tell("vcgen: this is simulated data: no model wrote it, train nothing on it")


@command
def show(
    run: RunArgument,
    record_id: RecordArgument = None,
    *,
    limit: LimitOption = None,
) -> None:
    """Print the records of a run for people to read.

    ID is a record's, or a clip's for all its records.
    """
    read_manifest(run)
    shown = 0
    for record in read_records(run):
        if record_id not in {None, record.id, record.clip_id}:
            continue
        if shown == limit:
            break
        print(_page(record))
        shown += 1
    if record_id is not None and not shown:
        raise UsageError(f"{run} has no record {record_id!r}")


@command
def prompts(
    template: TemplateArgument = None,
    *,
    clip: ClipOption = None,
    tasks: SendersOption = BUILTIN,
    templates: TemplatesOption = None,
) -> None:
    """List the prompt templates, or show one as it would be sent for a clip."""
    if template is None:
        loaded = Prompts(templates)
        print("\n".join(f"{name:12} {loaded.digest(name)}" for name in loaded.names()))
        return
    if clip is None:
        raise UsageError("name a file of clips to render the template for: --clip FILE")
    found = next((item for item in read_clips(clip) if isinstance(item, Clip)), None)
    if found is None:
        raise UsageError(f"{clip} has no usable clip")
    sent = _run(functools.partial(preview, found, template, _names(tasks), templates))
    for message in sent:
        print(f"--- {message.role} ---\n{message.content}\n")


@command
def sim(
    *,
    port: PortOption = 8099,
    latency: LatencyOption = 0.0,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    slots: SlotsOption = None,
    faults: FaultsOption = "",
    seed: SeedOption = 0,
) -> None:
    """Serve the simulated endpoint over HTTP on this machine until interrupted."""
    told, conditions = parse_faults(faults), Conditions(slots=slots)
    simulator = Simulator(conditions, latency_s=latency, rpm=rpm, tpm=tpm, faults=told, seed=seed)
    _run(functools.partial(_serve, simulator, port))


async def _serve(simulator: Simulator, port: int) -> None:
    async with serve(simulator, port=port) as base_url:
        print(f"simulated endpoint at {base_url} (any key, model sim); Ctrl-C ends it")
        sys.stdout.flush()
        await anyio.sleep_forever()


def _run(main: Callable[[], Awaitable[T]]) -> T:
    return anyio.run(main, backend_options={"use_uvloop": use_uvloop()})


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _recipe(turns: str, kinds: str, **plain: Any) -> Recipe:
    named = cast("tuple[Kind, ...]", tuple(_names(kinds)))
    return Recipe(turns=_range(turns), kinds=named, **plain)


def _range(text: str) -> tuple[int, int]:
    least, dash, most = text.partition("-")
    try:
        return int(least), int(most if dash else least)
    except ValueError:
        raise UsageError(f"turns {text!r}: give a number or a range such as 3-5") from None


def _seconds(text: str) -> float:
    if (seconds := duration_s(text)) is None:
        raise UsageError(f"deadline {text!r}: give a time such as 90s, 30m or 1h30m")
    return seconds


def _page(record: Record) -> str:
    lines = [f"{record.id}   video {record.video}   model {record.meta.get('model', 'unknown')}"]
    for turn in record.turns:
        lines.append(f"  [{turn.kind}] Q: {turn.question}")
        lines.append(
            textwrap.fill(turn.answer, 100, initial_indent="    A: ", subsequent_indent=" " * 7)
        )
    return "\n".join(lines) + "\n"
