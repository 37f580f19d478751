"""The command line.

Exit codes: 0 finished, 1 stopped and resumable, 2 wrong use, 3 finished with rejects under
`--strict`, 128 and the signal's number where one ended it (130 for Ctrl-C).
"""

import functools
import os
import sys
import textwrap
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar, cast

import anyio
import orjson
import typer

from vcgen._version import __version__
from vcgen.api import DEFAULT_TASKS, Options, open_run, use_uvloop
from vcgen.clips import Clip
from vcgen.config import DEFAULT_KINDS, Endpoint, Limits, Recipe, StructuredName
from vcgen.errors import RunStopped, StoreError, UsageError, VcgenError
from vcgen.exporters import FORMATS, export_records
from vcgen.intake import PlacedStream, intake_files
from vcgen.preview import preview
from vcgen.progress import print_summary, tell
from vcgen.prompts import Prompts
from vcgen.records import Kind, Record
from vcgen.sim import Simulator, parse_faults, serve
from vcgen.sim.faults import KINDS as FAULTS
from vcgen.sources import FORMATS as INPUT_FORMATS
from vcgen.sources import count_rows, read_clips
from vcgen.store import RunDirectory, read_manifest, read_records, require_fresh
from vcgen.tasks import builtin_tasks
from vcgen.terminal import Interrupted, work_at_terminal

P = ParamSpec("P")
T = TypeVar("T")

BUILTIN = ", ".join(builtin_tasks())
TASKS, KINDS = ",".join(DEFAULT_TASKS), ",".join(DEFAULT_KINDS)

# What typer itself finds wrong; it exports this class only as the base of another.
_WrongUse = cast("type[typer.BadParameter]", typer.BadParameter.__bases__[0])

app = typer.Typer(
    help="Video-language instruction data from video text, as fast as the endpoint allows.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """The `vcgen` command; ends in SystemExit."""
    try:
        sys.exit(app(arguments, prog_name="vcgen", standalone_mode=False))
    except _WrongUse as error:
        used = error.ctx.command_path if error.ctx else "vcgen"
        problem = error.format_message().rstrip(".")
        tell(f"vcgen: {problem}; see {used} --help")
        sys.exit(2)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        print(f"vcgen {__version__}")
    elif context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(2)


def command(function: Callable[P, None]) -> Callable[P, None]:
    """Register a command whose errors are one line and an exit code."""

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
            sys.stdout.flush()
        except VcgenError as error:
            notes = getattr(error, "__notes__", [])
            tell("; ".join([f"vcgen: {error}", *notes]))
            raise typer.Exit(_exit_code(error)) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(130) from error
        except BrokenPipeError:
            # The reader of our output left, as `head` does; nothing is wrong. What is still
            # buffered goes nowhere, or Python would complain of it at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    return cast("Callable[P, None]", app.command()(guarded))


def _exit_code(error: VcgenError) -> int:
    if isinstance(error, Interrupted):
        return 128 + error.number
    return 2 if isinstance(error, UsageError) else 1


RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Directory of a run.")]


def _value(metavar: str, text: str) -> Any:
    return typer.Option(metavar=metavar, help=text)


Inputs = Annotated[
    list[Path], typer.Argument(metavar="INPUT", help="Files of clips: JSONL, JSON, CSV, text.")
]
ModelOption = Annotated[str, _value("NAME", "Model; `sim` is simulated and needs no key.")]
OutputOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Directory of the run.")
]
TasksOption = Annotated[
    str,
    _value("NAMES", f"What to make of each clip: {BUILTIN}, or your own as FILE.py:FUNCTION."),
]
TurnsOption = Annotated[str, _value("N-M", "Fewest and most questions of a conversation.")]
KindsOption = Annotated[str, _value("NAMES", "Kinds of question a conversation must have.")]
RefineOption = Annotated[bool, typer.Option(help="Clean up each description by another request.")]
LanguageOption = Annotated[str, _value("NAME", "Language to write in.")]
TemplatesOption = Annotated[Path | None, _value("DIR", "Your prompt templates; they win by name.")]
SeedOption = Annotated[int, _value("N", "The same seed makes the same random choices.")]
TemperatureOption = Annotated[float | None, _value("X", "Of sampling; by default the model's own.")]
MaxTokensOption = Annotated[int, _value("N", "Longest reply, in tokens.")]
FormatOption = Annotated[
    str, typer.Option("--format", metavar="NAME", help=f"auto, {', '.join(INPUT_FORMATS)}.")
]
SpeechOption = Annotated[
    Path | None,
    _value("DIR", "Transcripts to add: SRT, VTT or Whisper JSON, named like the videos."),
]
BaseUrlOption = Annotated[
    str | None,
    _value(
        "URL",
        "OpenAI-compatible endpoint, up to and including /v1; if not given, the environment's "
        "OPENAI_BASE_URL or OpenAI's own.",
    ),
]
KeyOption = Annotated[str, _value("NAME", "Environment variable that holds the key.")]
StructuredOption = Annotated[
    str,
    _value("HOW", "How JSON is asked for: json_schema, json_object, prompt, or auto to find out."),
]
RpmOption = Annotated[int | None, _value("N", "Requests a minute the endpoint allows.")]
TpmOption = Annotated[int | None, _value("N", "Tokens a minute the endpoint allows.")]
ConcurrencyOption = Annotated[
    int | None, _value("N", "Requests under way at once; 64 or to suit --rpm if not given.")
]
TimeoutOption = Annotated[float, _value("SECONDS", "Longest wait for one reply.")]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Begin a run, continue none.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Exit with 3 if there are rejects.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Summary as JSON on standard output.")]


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
    input_format: FormatOption = "auto",
    speech: SpeechOption = None,
    base_url: BaseUrlOption = None,
    api_key_env: KeyOption = "OPENAI_API_KEY",
    structured: StructuredOption = "auto",
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    concurrency: ConcurrencyOption = None,
    timeout: TimeoutOption = 120.0,
    fresh: FreshOption = False,
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write instruction data for the clips of INPUT into the directory of a run.

    The same command again continues where it stopped.
    """
    endpoint = Endpoint.from_environment(
        model,
        base_url=base_url,
        key_variable=api_key_env,
        structured=cast("StructuredName", structured),
    )
    recipe = Recipe(
        turns=_range(turns),
        kinds=cast("tuple[Kind, ...]", tuple(_names(kinds))),
        refine=refine,
        language=language,
        seed=seed,
        temperature=temperature,
        max_tokens=max_tokens,
    )
    options = Options(
        tasks=_names(tasks),
        output=output,
        limits=Limits(rpm=rpm, tpm=tpm, concurrency=concurrency),
        recipe=recipe,
        templates=templates,
        timeout_s=timeout,
    )
    if fresh:
        require_fresh(output)
    clips = intake_files(inputs, input_format, speech)

    def count_samples() -> int:
        return sum(count_rows(path, format=input_format) for path in inputs) * len(options["tasks"])

    summary = _run(
        functools.partial(_generate, clips, endpoint, options, count_samples, as_json=as_json)
    )
    if not as_json:
        print_summary(summary)
    if strict and summary["rejects"]:
        raise typer.Exit(3)


async def _generate(
    clips: PlacedStream,
    endpoint: Endpoint,
    options: Options,
    count_samples: Callable[[], int],
    *,
    as_json: bool,
) -> dict[str, Any]:
    async with open_run(clips, endpoint, options) as run:
        _name_damage(run.store)
        try:
            await work_at_terminal(run, count_samples)
        except (RunStopped, StoreError) as error:
            records, output = run.summary()["records"], options["output"]
            error.add_note(f"records so far: {records:,}, in {output}; the same command continues")
            raise
        finally:
            if as_json:
                print(orjson.dumps(run.summary()).decode())
        return run.summary()


def _name_damage(store: RunDirectory | None) -> None:
    for name, lines in store.damaged.items() if store else ():
        tell(f"vcgen: damaged lines of {name} moved to {name}.bad: {lines:,}")


@command
def export(
    run: RunArgument,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")
    ],
    format_name: Annotated[
        str, typer.Option("--format", metavar="NAME", help=f"One of {', '.join(FORMATS)}.")
    ],
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
    record_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="Only this record, or this clip's.")
    ] = None,
    *,
    limit: Annotated[int | None, _value("N", "The first so many records only.")] = None,
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
    template: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show this one, filled in.")
    ] = None,
    *,
    clip: Annotated[Path | None, _value("FILE", "Fill it in for the first clip of FILE.")] = None,
    tasks: Annotated[
        str, _value("NAMES", "Tasks that may send it; your own as FILE.py:FUNCTION.")
    ] = ",".join(builtin_tasks()),
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
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65_535, help="Port on this machine; 0 for any.")
    ] = 8099,
    latency: Annotated[float, _value("SECONDS", "How long each reply takes.")] = 0.0,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    faults: Annotated[
        str,
        _value(
            "KIND:SHARE,...",
            "What goes wrong, and how often: 429:0.05,reset:0.01. "
            f"Kinds: {', '.join(sorted(FAULTS))}.",
        ),
    ] = "",
    seed: SeedOption = 0,
) -> None:
    """Serve the simulated endpoint over HTTP on this machine until interrupted."""
    simulator = Simulator(
        latency_s=latency, rpm=rpm, tpm=tpm, faults=parse_faults(faults), seed=seed
    )
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


def _range(text: str) -> tuple[int, int]:
    least, dash, most = text.partition("-")
    try:
        return int(least), int(most if dash else least)
    except ValueError:
        raise UsageError(f"turns {text!r}: give a number or a range such as 3-5") from None


def _page(record: Record) -> str:
    lines = [f"{record.id}   video {record.video}   model {record.meta.get('model', 'unknown')}"]
    for turn in record.turns:
        lines.append(f"  [{turn.kind}] Q: {turn.question}")
        lines.append(
            textwrap.fill(turn.answer, 100, initial_indent="    A: ", subsequent_indent=" " * 7)
        )
    return "\n".join(lines) + "\n"
