"""The command line.

Exit codes: 0 finished, 1 stopped and resumable, 2 wrong use, 3 finished with rejects (of
`check`, with more than flags) under `--strict`, 128 and the signal's number where one ended it (130
for Ctrl-C).
"""

import sys
from collections.abc import Sequence

# Each registers itself.
from vcgen.cli import card, check, export, generate, plan, prompts, recipe, report, show, sim  # noqa: F401
from vcgen.cli.options import WrongUse, app
from vcgen.cli.output import tell


def main(arguments: Sequence[str] | None = None) -> None:
    """The `vcgen` command; ends in SystemExit."""
    try:
        sys.exit(app(arguments, prog_name="vcgen", standalone_mode=False))
    except WrongUse as error:
        used = error.ctx.command_path if error.ctx else "vcgen"
        problem = error.format_message().rstrip(".")
        tell(f"vcgen: {problem}; see {used} --help")
        sys.exit(2)
