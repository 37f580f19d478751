"""`vcgen prompts`: the templates, and what they make of a clip."""

import functools

from vcgen.cli.common import names, run_loop
from vcgen.cli.options import (
    BUILTIN,
    ClipOption,
    LanguageOption,
    SendersOption,
    TemplateArgument,
    TemplatesOption,
    command,
)
from vcgen.data.clips import Clip
from vcgen.data.readers.read import read_clips
from vcgen.errors import UsageError
from vcgen.pipeline.preview import preview
from vcgen.tasks.templates import Templates


@command
def prompts(
    template: TemplateArgument = None,
    *,
    clip: ClipOption = None,
    tasks: SendersOption = BUILTIN,
    language: LanguageOption = None,
    templates: TemplatesOption = None,
) -> None:
    """List the prompt templates, or show one as it would be sent for a clip."""
    if template is None:
        loaded = Templates(templates)
        print("\n".join(f"{name:12} {loaded.digest(name)}" for name in loaded.names()))
        return
    if clip is None:
        raise UsageError("name a file of clips to render the template for: --clip FILE")
    found = next((item for item in read_clips(clip) if isinstance(item, Clip)), None)
    if found is None:
        raise UsageError(f"{clip} has no usable clip")
    render = functools.partial(preview, found, template, names(tasks), templates, language)
    sent = run_loop(render)
    for message in sent:
        print(f"--- {message.role} ---\n{message.content}\n")
