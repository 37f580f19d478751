"""The application: how a command declares its options, shows its help and ends.

The default of a parameter declares its option: `rpm: int | None = option("N", "Requests.")`. A
parameter whose type is a dataclass is a group: each field becomes an option of the command, and
the command receives the dataclass. `--help` lists options below the headings of `Heading`.
"""

import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import MISSING, Field, field, fields, is_dataclass
from enum import StrEnum
from inspect import Parameter, Signature
from typing import Annotated, Any

import typer
import typer.core

from vcgen._version import __version__
from vcgen.cli.output import print_lines, tell
from vcgen.errors import RunStopped, UsageError, VcgenError

WrongUse = typer.TyperException
Finish = typer.Exit

EXIT_STOPPED, EXIT_WRONG_USE, EXIT_REJECTS, EXIT_NO_RECORDS = 1, 2, 3, 4


class Heading(StrEnum):
    """The headings of options in `--help`, in the order shown."""

    ARGUMENTS = "Arguments"
    MAKE = "What to make"
    ENDPOINT = "Endpoint"
    LIMITS = "Limits and budget"
    OUTPUT = "Output"
    ADVANCED = "Advanced"
    OPTIONS = "Options"


class Interrupted(RunStopped):
    """A signal ended the run; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__("interrupted")
        self.number = number


class _Command(typer.core.TyperCommand):
    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The arguments as usual in manuals: INPUT... rather than {INPUT}...."""
        pieces = super().collect_usage_pieces(ctx)
        return [piece.replace("{", "").replace("}", "") for piece in pieces]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {heading: [] for heading in Heading}
        for parameter in self.get_params(ctx):
            if (row := parameter.get_help_record(ctx)) is None:
                continue
            if parameter.param_type_name == "argument":
                sections[Heading.ARGUMENTS].append((row[0].partition(" ")[0], row[1]))
            else:
                panel = getattr(parameter, "rich_help_panel", None)
                sections[panel or Heading.OPTIONS].append(row)
        for heading, rows in sections.items():
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)


class _Group(typer.core.TyperGroup):
    def list_commands(self, ctx: Any) -> list[str]:
        """The commands in alphabetical order, groups among them."""
        return sorted(super().list_commands(ctx))


app = typer.Typer(
    cls=_Group,
    help="Generate video-language instruction data from video text, as fast as the endpoint "
    "allows.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        print_lines(f"vcgen {__version__}")
    elif context.invoked_subcommand is None:
        print_lines(context.get_help())
        raise Finish(EXIT_WRONG_USE)


def subcommands(name: str, purpose: str) -> typer.Typer:
    """Add a command that has commands of its own."""
    group = typer.Typer(help=purpose)
    app.add_typer(group, name=name)
    return group


REQUIRED: Any = MISSING


def argument(metavar: str, purpose: str, *, default: Any = REQUIRED) -> Any:
    """Declare a positional argument."""
    declared = typer.Argument(metavar=metavar, help=purpose)
    return field(default=default, metadata={"declared": declared})


def option(
    metavar: str | None,
    purpose: str,
    *names: str,
    default: Any = None,
    under: Heading | None = None,
    **settings: Any,
) -> Any:
    """Declare an option; its name is the parameter's by default."""
    settings |= {"metavar": metavar, "help": purpose, "rich_help_panel": under}
    return field(default=default, metadata={"declared": typer.Option(*names, **settings)})


def flag(name: str, purpose: str, **settings: Any) -> Any:
    """Declare an option without a value."""
    return option(None, purpose, name, default=False, **settings)


def command(
    function: Callable[..., None], *, group: typer.Typer = app, name: str | None = None
) -> Callable[..., None]:
    """Register a command whose errors are one line and an exit code."""
    signature = inspect.signature(function)
    kinds = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    groups: dict[str, Any] = {name: kind for name, kind in kinds.items() if is_dataclass(kind)}

    def call(**values: Any) -> None:
        built = {
            name: kind(**{field.name: values.pop(field.name) for field in fields(kind)})
            for name, kind in groups.items()
        }
        with _one_line_errors():
            function(**built, **values)
            sys.stdout.flush()

    parameters: list[Parameter] = []
    for parameter in signature.parameters.values():
        if parameter.name in groups:
            kind = groups[parameter.name]
            parameters += [_parameter(f.name, f.type, f, kind.HEADING) for f in fields(kind)]
        else:
            parameters.append(_parameter(parameter.name, parameter.annotation, parameter.default))
    call.__name__, call.__doc__ = function.__name__, function.__doc__
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    call.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    group.command(name, cls=_Command)(call)
    return function


def _parameter(
    name: str, kind: Any, field: Field[Any], heading: Heading | None = None
) -> Parameter:
    """A declared option as Typer reads it."""
    declared = copy(field.metadata["declared"])
    declared.rich_help_panel = declared.rich_help_panel or heading
    default = Parameter.empty if field.default is REQUIRED else field.default
    kind = Annotated[kind, declared]
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind, default=default)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except VcgenError as error:
        tell("; ".join([f"vcgen: {error}", *getattr(error, "__notes__", [])]))
        raise Finish(_exit_code(error)) from error
    except KeyboardInterrupt as error:
        raise Finish(130) from error
    except BrokenPipeError:
        # The reader of standard output left, as `head` does. Drop the rest of the buffer, or
        # Python complains about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exit_code(error: VcgenError) -> int:
    if isinstance(error, Interrupted):
        return 128 + error.number
    return EXIT_WRONG_USE if isinstance(error, UsageError) else EXIT_STOPPED
