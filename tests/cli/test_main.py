"""The command as a whole: its version and help, and how wrong use ends."""

import re

import pytest

import vcgen
from tests.support.common import Command, start_vcgen


def test_version_is_that_of_the_package(command: Command) -> None:
    assert command("--version") == (0, f"vcgen {vcgen.__version__}\n", "")


def test_the_command_alone_shows_what_there_is(command: Command) -> None:
    finished = command()
    assert finished.code == 2
    assert all(name in finished.out for name in ("generate", "export", "show", "prompts", "sim"))


COMMANDS = ["card", "check", "export", "generate", "plan", "prompts", "report", "show", "sim"]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_every_option(command: Command, name: str) -> None:
    help_text = command(name, "--help").out
    assert not re.findall(r"<\w+>", help_text)  # a type instead of a value's name
    options = re.findall(r"^  (-.*(?:\n {4,}.*)*)", help_text, re.MULTILINE)
    assert "--help" in options[-1]
    assert all(len(option.split()) > 3 for option in options), options


def test_help_of_generate_has_its_groups_and_defaults(command: Command) -> None:
    help_text = command("generate", "--help").out
    headings = re.findall(r"^(\w.*):$", help_text, re.MULTILINE)
    assert headings == [
        "Arguments",
        "What to make",
        "Endpoint",
        "Limits and budget",
        "Output",
        "Advanced",
        "Options",
    ]
    assert re.search(r"\[default:\s+default\]", help_text)
    assert re.search(r"--timeout SECONDS .*\n?.*\[default:\s+120\.0\]", help_text)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["generat"], "No such command 'generat'. Did you mean 'generate'?; see vcgen --help"),
        (["show"], "Missing argument 'RUN'; see vcgen show --help"),
        (
            ["sim", "--port", "70000"],
            (
                "Invalid value for '--port': Input should be less than or equal to 65535; "
                "see vcgen sim --help"
            ),
        ),
    ],
)
def test_wrong_use_is_one_line_with_the_way_to_help(
    command: Command, arguments: list[str], line: str
) -> None:
    assert command(*arguments) == (2, "", f"vcgen: {line}\n")


def test_the_shell_completes_options() -> None:
    """By the protocol of bash; `vcgen --install-completion` sets it up."""
    words = {"COMP_WORDS": "vcgen generate --max-re", "COMP_CWORD": "2"}
    with start_vcgen(env={"_VCGEN_COMPLETE": "complete_bash", **words}) as process:
        out, err = process.communicate(timeout=20)
    assert (out.split(), err) == (
        ["--max-records", "--max-reply-tokens", "--max-repairs", "--max-requests"],
        "",
    )
