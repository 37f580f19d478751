"""Declaring commands: groups of options, headings of the help, errors as a line and a code."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import pytest
import typer
import typer.testing

from vcgen.cli.app import REQUIRED, Heading, Interrupted, argument, command, flag, option
from vcgen.errors import RunStopped, StoreError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Paint:
    """A group."""

    HEADING: ClassVar = Heading.MAKE

    things: list[str] = argument("THING", "Things to paint.")
    colour: str = option("NAME", "Colour to use.", default=REQUIRED)
    coats: int = option("N", "Number of coats.", default=2, under=Heading.ADVANCED)
    glossy: bool = flag("--glossy", "Use gloss.")


def run(function: Callable[..., None], *arguments: str) -> typer.testing.Result:
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(lambda: None)
    command(function, group=app, name="do")
    return typer.testing.CliRunner().invoke(app, ["do", *arguments])


def test_a_group_arrives_as_its_dataclass() -> None:
    got: list[tuple[Paint, int]] = []

    def do(*, paint: Paint, hours: int = option("N", "Hours.", default=1)) -> None:
        got.append((paint, hours))

    assert run(do, "wall", "door", "--colour", "red", "--glossy").exit_code == 0
    assert run(do, "wall", "--colour", "red", "--coats", "3", "--hours", "5").exit_code == 0
    assert got == [
        (Paint(things=["wall", "door"], colour="red", glossy=True), 1),
        (Paint(things=["wall"], colour="red", coats=3), 5),
    ]


def test_a_required_option_of_a_group_is_required() -> None:
    def do(*, paint: Paint) -> None:
        raise AssertionError(paint)

    finished = run(do, "wall")
    assert finished.exit_code == 2
    assert "--colour" in finished.output


def test_help_lists_options_under_their_headings_in_order() -> None:
    def do(*, paint: Paint, hours: int = option("N", "Hours.", default=1)) -> None:
        """Paint things."""

    shown = run(do, "--help").output
    assert "do [OPTIONS] THING..." in shown
    headings = [line.rstrip(":") for line in shown.splitlines() if line.endswith(":")]
    assert headings == ["Arguments", "What to make", "Advanced", "Options"]
    sections = shown.split("\n\n")
    assert "--colour NAME" in sections[-3]
    assert "--coats N" in sections[-2]
    assert "--hours N" in sections[-1]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no key: set it"), 2),
        (RunStopped("no key: set it"), 1),
        (StoreError("no key: set it"), 1),
        (Interrupted(15), 143),
        (KeyboardInterrupt(), 130),
        (None, 0),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    error: BaseException | None, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def do() -> None:
        if error is not None:
            raise error

    finished = run(do)
    assert finished.exit_code == code
    assert finished.stdout == ""
    assert finished.stderr.count("\n") <= 1
    if isinstance(error, RunStopped | UsageError):
        assert finished.stderr == f"vcgen: {error}\n"


def test_notes_of_an_error_follow_it_on_its_line() -> None:
    def do() -> None:
        error = RunStopped("the disk is full")
        error.add_note("the same command continues")
        raise error

    assert run(do).stderr == "vcgen: the disk is full; the same command continues\n"
