"""Render Jinja templates as chat messages. The text of videos reaches them as variables only.

A template has the blocks `system` and `user`. The user's directory is searched before the built-in
one: a file of the same name replaces a built-in template.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import blake2b
from pathlib import Path
from typing import Any

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateNotFound,
    nodes,
)
from jinja2.meta import find_referenced_templates
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from vcgen.data.cleaning import CANARY
from vcgen.data.records import Reason
from vcgen.engine.chat import Message
from vcgen.errors import SampleRejected, UsageError

SUFFIX = ".jinja"
MAX_PROMPT_CHARACTERS = 1 << 20

_Block = Callable[[Context], Iterator[str]]


@dataclass(frozen=True, slots=True)
class _Compiled:
    variables: dict[str, Any]  # the environment's own, such as `range`
    blocks: dict[str, list[_Block]]  # from the child to the root of `extends`
    digest: str


def builtin_directory() -> Path:
    package = Path(__file__).resolve().parents[1]
    installed = package / "templates"
    return installed if installed.is_dir() else package.parents[1] / "templates"


def html_template(source: str) -> Template:
    """Compile a page of ours: values are escaped, and a missing one is an error."""
    return Environment(
        undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    ).from_string(source)


def load_text(
    source: str, filters: Mapping[str, Callable[..., str]], finalize: Callable[[Any], str]
) -> Template:
    """A text of ours; `finalize` escapes each value for the format of the text."""
    environment = Environment(
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - not HTML, and `finalize` escapes
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=finalize,
    )
    environment.filters.update(filters)
    return environment.from_string(source)


class Templates:
    """The templates of a run, compiled once each.

    Args:
        directory: the user's templates, which replace built-in ones of the same name.

    Raises:
        UsageError: `directory` is not a directory, or a text file in it is not UTF-8.
    """

    def __init__(self, directory: Path | None = None) -> None:
        if directory is not None and not directory.is_dir():
            raise UsageError(f"templates: {directory} is not a directory")
        self.directory = directory
        directories = [path for path in (directory, builtin_directory()) if path is not None]
        self._loader = FileSystemLoader(directories)
        self._environment = ImmutableSandboxedEnvironment(
            loader=self._loader,
            undefined=StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["canary"] = CANARY
        self._compiled: dict[str, _Compiled] = {}
        # Read now: when a task first draws a line, every file descriptor may be a connection.
        files = self._environment.list_templates(extensions=["txt"])
        self._texts = {file: self._source(file) for file in files}
        self._lines = {
            file: [line for line in map(str.strip, text.split("\n")) if line]
            for file, text in self._texts.items()
        }

    def names(self) -> list[str]:
        files = self._environment.list_templates(extensions=[SUFFIX.removeprefix(".")])
        return sorted(file.removesuffix(SUFFIX) for file in files)

    def require_used(self) -> None:
        """Require that each of the user's templates replaces one, or is part of one that does.

        Raise UsageError with the nearest name: the built-in tasks render no others.
        """
        if self.directory is None:
            return
        own = {path.name for path in self.directory.glob(f"*{SUFFIX}")}
        builtin = {path.name for path in builtin_directory().glob(f"*{SUFFIX}")}
        parts = {
            part
            for file in own
            for part in find_referenced_templates(self._environment.parse(self._source(file)))
        }
        for file in sorted(own - builtin - parts):
            near = get_close_matches(file, builtin, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(builtin))}"
            raise UsageError(f"{self.directory / file}: no task uses this template; {hint}")

    def render(
        self, name: str, variables: Mapping[str, Any], after: tuple[Message, ...] = ()
    ) -> tuple[Message, ...]:
        """Render the system message, unless it is empty, and the user message of a template.

        Args:
            name: of the template, without suffix.
            variables: the names it may use.
            after: a conversation to continue, which has its system message already.

        Raises:
            UsageError: the template does not exist, compile or render.
            SampleRejected: the whole prompt is larger than `MAX_PROMPT_CHARACTERS`.
        """
        compiled = self._load(name)
        if missing := {"system", "user"} - compiled.blocks.keys():
            raise UsageError(f"template {name}{SUFFIX} has no block {', '.join(sorted(missing))}")
        # 3.4 us a prompt; 8.6 by `Template.new_context`, which copies the globals three times.
        context = Context(self._environment, {**compiled.variables, **variables}, name, {})
        context.blocks = compiled.blocks
        try:
            texts = [
                (role, "".join(compiled.blocks[role][0](context)).strip())
                for role in (("user",) if after else ("system", "user"))
            ]
        except TemplateError as error:
            raise UsageError(f"template {name}{SUFFIX}: {error.message}") from error
        messages = (*after, *(Message(role, text) for role, text in texts if text))
        if (size := sum(len(text) for _, text in messages)) > MAX_PROMPT_CHARACTERS:
            raise SampleRejected(
                Reason.PROMPT_TOO_LARGE,
                f"the prompt {name!r} has {size} characters, the limit is {MAX_PROMPT_CHARACTERS}",
            )
        return messages

    def digest(self, name: str) -> str:
        return self._load(name).digest

    def digests(self) -> dict[str, str]:
        """Return the short hash of every template and every text file."""
        return {name: self.digest(name) for name in self.names()} | {
            file: blake2b(text.encode(), digest_size=8).hexdigest()
            for file, text in self._texts.items()
        }

    def instructions(self) -> tuple[str, ...]:
        """Return the constant text of all `system` blocks, split at their variables."""
        return tuple(
            text.data
            for name in self.names()
            for block in self._environment.parse(self._source(name + SUFFIX)).find_all(nodes.Block)
            if block.name == "system"
            for text in block.find_all(nodes.TemplateData)
        )

    def lines(self, file: str) -> list[str]:
        """Return the non-empty lines of a text file beside the templates."""
        if file not in self._lines:
            where = ", ".join(self._loader.searchpath)
            raise UsageError(f"no file {file} in {where}")
        return self._lines[file]

    def _load(self, name: str) -> _Compiled:
        compiled = self._compiled.get(name)
        if compiled is None:
            compiled = self._compiled[name] = self._compile(name)
        return compiled

    def _compile(self, name: str) -> _Compiled:
        blocks: dict[str, list[_Block]] = {}
        digest = blake2b(digest_size=8)
        chain: list[str] = []
        try:
            parent: str | None = name + SUFFIX
            while parent is not None:
                if parent in chain:
                    raise UsageError(f"template {parent} extends itself; give yours another name")
                chain.append(parent)
                source = self._source(parent)
                digest.update(source.encode())
                template = self._environment.get_template(parent)
                for block, function in template.blocks.items():
                    blocks.setdefault(block, []).append(function)
                parent = self._parent(source)
            leaf = self._environment.get_template(name + SUFFIX)
        except TemplateNotFound as error:
            raise UsageError(
                f"unknown template {error.name}; choose {', '.join(self.names())}"
            ) from error
        except TemplateError as error:
            raise UsageError(f"template {name}{SUFFIX}: {error.message}") from error
        return _Compiled(dict(leaf.globals), blocks, digest.hexdigest())

    def _source(self, file: str) -> str:
        try:
            return self._loader.get_source(self._environment, file)[0]
        except UnicodeDecodeError as error:
            raise UsageError(f"template {file} is not UTF-8") from error

    def _parent(self, source: str) -> str | None:
        extends = self._environment.parse(source).find(nodes.Extends)
        if extends is None:
            return None
        if not isinstance(extends.template, nodes.Const):
            raise UsageError("a template can extend only a name in quotes")
        return str(extends.template.value)
