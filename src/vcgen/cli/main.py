"""The command line.

Exit codes: 0 finished, 1 stopped and resumable, 2 wrong use, 3 finished with rejects under
`--fail-on-reject` (`check`: with more than flags under `--strict`), 4 finished without a record,
128 and the signal's number for a run ended by one (130 for Ctrl-C).
"""

import sys
from collections.abc import Sequence

# Each registers its command.
from vcgen.cli import (  # noqa: F401
    card,
    check,
    export,
    generate,
    plan,
    prompts,
    recipe,
    report,
    retry,
    show,
    sim,
)
from vcgen.cli.app import EXIT_WRONG_USE, WrongUse, app
from vcgen.cli.output import tell


def main(arguments: Sequence[str] | None = None) -> None:
    """The `vcgen` command; ends in SystemExit."""
    try:
        sys.exit(app(arguments, prog_name="vcgen", standalone_mode=False))
    except WrongUse as error:
        problem = error.format_message().rstrip(".").replace("Value error, ", "")
        context = getattr(error, "ctx", None)
        used = context.command_path if context else "vcgen"
        tell(f"vcgen: {problem}; see {used} --help")
        sys.exit(EXIT_WRONG_USE)
