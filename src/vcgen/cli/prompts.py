"""`vcgen prompts`: the templates, and the prompts they render for a clip."""

import functools
from pathlib import Path

from vcgen.cli.app import argument, command, option
from vcgen.cli.common import run_loop
from vcgen.cli.options import LANGUAGE, TASKS, TEMPLATES, split_names
from vcgen.cli.output import print_lines
from vcgen.data.clips import Clip
from vcgen.data.readers.read import read_clips
from vcgen.errors import UsageError
from vcgen.pipeline.preview import preview
from vcgen.tasks.templates import Templates


@command
def prompts(
    template: str | None = argument("TEMPLATE", "Template to render.", default=None),
    *,
    clip: Path | None = option("FILE", "File of clips; the first one fills the template."),
    tasks: str = option(
        "NAMES", "Tasks that may use the template, or FILE.py:FUNCTION.", default=TASKS
    ),
    language: str | None = LANGUAGE,
    templates: Path | None = TEMPLATES,
) -> None:
    """List the prompt templates, or show one filled for a clip."""
    if template is None:
        loaded = Templates(templates)
        print_lines("\n".join(f"{name:12} {loaded.digest(name)}" for name in loaded.names()))
        return
    Templates(templates).digest(template)  # an unknown name is reported before a missing clip
    if clip is None:
        raise UsageError("a template is rendered for a clip; name a file of clips: --clip FILE")
    first = next((row for row in read_clips(clip) if isinstance(row, Clip)), None)
    if first is None:
        raise UsageError(f"{clip} has no usable clip")
    render = functools.partial(preview, first, template, split_names(tasks), templates, language)
    for message in run_loop(render):
        print_lines(f"--- {message.role} ---\n{message.content}\n\n")
