"""docs/prompts.md shows the output of its commands.

To update the page: `python -m tests.support.prompts_page`.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/prompts.md"

_SHOWN = re.compile(
    r"^```sh\n(?P<command>[^\n]+)\n```\n(?:\n```text\n(?P<output>.*?)\n```\n)?",
    re.MULTILINE | re.DOTALL,
)
_LEFT_OUT = "[...]"
_FEW = 8  # shared lines of two prompts, up to which they are repeated


def renewed(page: str, directory: Path) -> str:
    """Return the page with the present output of its commands, run in an empty directory."""
    shutil.copytree(ROOT / "examples", directory / "examples")
    before: list[list[str]] = []

    def show(match: re.Match[str]) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *shlex.split(match["command"])],
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            check=True,
        )
        if match["output"] is None:
            return match[0]
        lines = done.stdout.strip("\n").split("\n")
        shared = max((_in_common(lines, shown) for shown in before), default=0)
        before.append(lines)
        shortened = [_LEFT_OUT, *lines[shared:]] if shared > _FEW else lines
        return match[0].replace(match["output"], "\n".join(shortened))

    return _SHOWN.sub(show, page)


def _in_common(lines: list[str], shown: list[str]) -> int:
    pairs = zip(lines, shown, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        PAGE.write_text(renewed(PAGE.read_text("utf-8"), Path(temporary)), "utf-8")
