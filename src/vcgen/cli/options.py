"""What the commands take, in typer's words, and how they end: one line and an exit code."""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ParamSpec, cast

import typer

from vcgen._version import __version__
from vcgen.cli.interactive import Interrupted
from vcgen.cli.output import tell
from vcgen.data.readers.read import FORMATS as INPUT_FORMATS
from vcgen.data.records import KINDS
from vcgen.datasets.export.export import FORMATS
from vcgen.datasets.importers import LAYOUTS
from vcgen.errors import UsageError, VcgenError
from vcgen.sim.faults import KINDS as FAULTS
from vcgen.tasks.recipe_files import builtin_recipes
from vcgen.tasks.registry import builtin_tasks

P = ParamSpec("P")

BUILTIN = ", ".join(builtin_tasks())

# What typer itself finds wrong; it exports this class only as the base of another.
WrongUse = cast("type[typer.BadParameter]", typer.BadParameter.__bases__[0])

app = typer.Typer(
    help="Video-language instruction data from video text, as fast as the endpoint allows.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

recipes = typer.Typer(help="What the recipes say that come with vcgen.")
app.add_typer(recipes, name="recipe")


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


def command(
    function: Callable[P, None], *, group: typer.Typer = app, name: str | None = None
) -> Callable[P, None]:
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

    return cast("Callable[P, None]", group.command(name)(guarded))


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
RecipeOption = Annotated[
    str,
    _value(
        "NAME",
        f"What to make: {', '.join(builtin_recipes())}, or a TOML file; see vcgen recipe. The "
        "options from here to --repairs are said instead of what it says.",
    ),
]
SamplesOption = Annotated[int | None, _value("N", "End once there are so many records.")]
TasksOption = Annotated[
    str | None,
    _value("NAMES", f"All to make of each clip: {BUILTIN}, or your own as FILE.py:FUNCTION."),
]
TurnsOption = Annotated[str | None, _value("N-M", "Fewest and most questions of a conversation.")]
KindsOption = Annotated[str | None, _value("NAMES", "Kinds of question a conversation must have.")]
RefineOption = Annotated[
    bool | None,
    typer.Option("--refine/--no-refine", help="Clean up each description by another request."),
]
LanguageOption = Annotated[str | None, _value("NAME", "Language to write in.")]
TemplatesOption = Annotated[Path | None, _value("DIR", "Your prompt templates; they win by name.")]
SeedOption = Annotated[int | None, _value("N", "The same seed makes the same random choices.")]
TemperatureOption = Annotated[float | None, _value("X", "Of sampling; by default the model's own.")]
MaxTokensOption = Annotated[int | None, _value("N", "Longest reply, in tokens.")]
RepairsOption = Annotated[
    int | None, _value("N", "How often a reply that fails a check goes back with what is wrong.")
]
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
KeyOption = Annotated[
    str | None,
    _value("NAME", "Environment variable that holds the key; OPENAI_API_KEY if not given."),
]
EndpointOption = Annotated[
    list[str] | None,
    _value(
        "SPEC",
        "One of several endpoints, each by an option of its own: URL,name=value,... or a TOML file "
        "of [[endpoint]] tables. Names: key-env, model, rpm, tpm, concurrency, structured, price.",
    ),
]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust-env", help="Go through the proxies the environment names; slower than without."
    ),
]
StructuredOption = Annotated[
    str,
    _value("HOW", "How JSON is asked for: json_schema, json_object, prompt, or auto to find out."),
]
RpmOption = Annotated[int | None, _value("N", "Requests a minute an endpoint allows.")]
TpmOption = Annotated[int | None, _value("N", "Tokens a minute an endpoint allows.")]
ConcurrencyOption = Annotated[
    int | None,
    _value(
        "N", "Requests under way at once at an endpoint; if not given, to suit --rpm, or found."
    ),
]
PriceOption = Annotated[
    str | None, _value("IN,OUT", "Dollars a million tokens, of prompts and replies.")
]
JudgeOption = Annotated[
    str | None,
    _value("NAME", "Model that judges answers: contradicted by the evidence is rejected."),
]
JudgeUrlOption = Annotated[
    str | None, _value("URL", "Endpoint of the judge; if not given, found as for --base-url.")
]
JudgeKeyOption = Annotated[
    str | None,
    _value("NAME", "Environment variable of its key; OPENAI_API_KEY if not given."),
]
JudgeRpmOption = Annotated[int | None, _value("N", "Requests a minute it allows.")]
JudgeTpmOption = Annotated[int | None, _value("N", "Tokens a minute it allows.")]
JudgeConcurrencyOption = Annotated[int | None, _value("N", "Requests under way at once there.")]
JudgePriceOption = Annotated[
    str | None, _value("IN,OUT", "Dollars a million of its tokens, of prompts and replies.")
]
MaxCostOption = Annotated[float | None, _value("DOLLARS", "End before more is spent.")]
MaxRequestsOption = Annotated[int | None, _value("N", "End after so many requests.")]
MaxTotalOption = Annotated[
    int | None, _value("N", "End before more tokens are used, in and out together.")
]
DeadlineOption = Annotated[
    str | None, _value("TIME", "Send nothing more after so long: 90s, 30m, 1h30m.")
]
TimeoutOption = Annotated[float, _value("SECONDS", "Longest wait for one reply.")]
HedgeOption = Annotated[
    bool,
    typer.Option("--hedge", help="Send late requests once more at the end; both are paid for."),
]
WorkersOption = Annotated[
    int, _value("N", "Processes that share the work, where one core is not enough.")
]
FreshOption = Annotated[bool, typer.Option("--fresh", help="Begin a run, continue none.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Exit with 3 if there are rejects.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Summary as JSON on standard output.")]

ExportFileOption = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="FILE", help="The file or, for some, directory to write."
    ),
]
ExportFormatOption = Annotated[
    str,
    typer.Option("--format", metavar="NAME", help=f"One of {', '.join(FORMATS)}; see --list."),
]


def _list_formats(asked: bool) -> None:  # noqa: FBT001 - typer calls it
    if asked:
        width = max(map(len, FORMATS))
        for name, form in FORMATS.items():
            print(f"{name:<{width}}  {form.purpose}")
        raise typer.Exit


ListOption = Annotated[
    bool,
    typer.Option(
        "--list", callback=_list_formats, is_eager=True, help="Say what each format is for."
    ),
]
KeptKindsOption = Annotated[
    str | None,
    _value("NAMES", f"Kinds of turns to take, of {', '.join(KINDS)}; if not given, all."),
]
MinGroundOption = Annotated[
    float | None,
    _value("X", "Only records of which at least this share of words is in the evidence."),
]
FitTokensOption = Annotated[
    int | None,
    _value("N", "Leave out last turns until a record has no more tokens; VideoChat V1 reads 512."),
]
TokenizerOption = Annotated[
    str | None,
    typer.Option(
        "--tokenizer",
        metavar="NAME",
        help="What counts them: a tokenizer.json or a model of the hub; if not given, an estimate.",
    ),
]
SplitOption = Annotated[
    str,
    _value("SHARES", "Share out by clip, as 0.98/0.02: train and validation; a third is test."),
]
ShuffleOption = Annotated[bool, typer.Option("--shuffle", help="Put records in a random order.")]
ExportSeedOption = Annotated[int, _value("N", "Of --shuffle and --split.")]
VideoRootOption = Annotated[
    str, _value("DIR", "Directory of the videos, as the trainer is to see it.")
]
CardFileOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="The card; README.md for the hub."),
]
DatasetNameOption = Annotated[
    str | None, _value("NAME", "Of the data set; the directory's if not given.")
]
LicenseOption = Annotated[
    str | None,
    typer.Option(
        "--license",
        metavar="ID",
        help="Of the data, as the hub's list of licences has it: cc-by-4.0, other.",
    ),
]
CheckedArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="Directory of a run, or a file of records.")
]
CheckedFormatOption = Annotated[
    str,
    typer.Option(
        "--format", metavar="NAME", help=f"Of a file: auto (by the keys), {', '.join(LAYOUTS)}."
    ),
]
ClipsOption = Annotated[
    list[Path] | None,
    _value("INPUT", "Clips of the records, to check them beside their evidence; may be repeated."),
]
ClipFormatOption = Annotated[
    str, _value("NAME", f"Of the clips: auto or one of {', '.join(INPUT_FORMATS)}.")
]
CleanFileOption = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write the records with no more than flags here."
    ),
]
CleanOption = Annotated[
    bool, typer.Option("--strict", help="Exit with 3 if more than flags is found.")
]
ReportFileOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="The page to write.")
]
EvidenceOption = Annotated[
    list[Path] | None,
    _value("INPUT", "Clips of the records, to show their evidence; may be repeated."),
]
ShownOption = Annotated[
    int,
    typer.Option(
        "--limit", metavar="N", min=0, help="Show no more records, of more an even sample."
    ),
]
RecipeArgument = Annotated[
    str, typer.Argument(metavar="NAME", help=f"{', '.join(builtin_recipes())}, or a TOML file.")
]
RecordArgument = Annotated[
    str | None, typer.Argument(metavar="ID", help="Only this record, or this clip's.")
]
LimitOption = Annotated[int | None, _value("N", "The first so many records only.")]
TemplateArgument = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Show this one, filled in.")
]
ClipOption = Annotated[Path | None, _value("FILE", "Fill it in for the first clip of FILE.")]
SendersOption = Annotated[
    str, _value("NAMES", "Tasks that may send it; your own as FILE.py:FUNCTION.")
]
PortOption = Annotated[
    int, typer.Option(metavar="N", min=0, max=65_535, help="Port on this machine; 0 for any.")
]
LatencyOption = Annotated[float, _value("SECONDS", "How long each reply takes.")]
SlotsOption = Annotated[int | None, _value("N", "Requests worked on at once; others wait.")]
DrawsOption = Annotated[int, _value("N", "Of what goes wrong.")]
FaultsOption = Annotated[
    str,
    _value(
        "KIND:SHARE,...",
        f"What goes wrong, and how often: 429:0.05,reset:0.01. Kinds: {', '.join(sorted(FAULTS))}.",
    ),
]
