"""Jinja templates in, chat messages out. Templates come from disk; video text is a variable only.

A template has the blocks `system` and `user`. A user's directory comes before the built-in one, so
that a file of the same name replaces ours.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from vcgen.data.cleaning import CANARY
from vcgen.engine.chat import Message
from vcgen.errors import Reason, SampleRejected, UsageError

SUFFIX = ".jinja"
MAX_PROMPT_CHARACTERS = 1 << 20

_Block = Callable[[Context], Iterator[str]]


@dataclass(frozen=True, slots=True)
class _Compiled:
    variables: dict[str, Any]  # the environment's own, such as `range`
    blocks: dict[str, list[_Block]]  # from the child to the root of `extends`
    digest: str


def builtin_directory() -> Path:
    """Where the templates shipped with vcgen are, in a wheel and in a source checkout alike."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "templates"
    return installed if installed.is_dir() else package.parents[1] / "templates"


def load_page(source: str) -> Template:
    """A page of ours, in HTML; whatever it shows is escaped, and nothing may be missing."""
    return Environment(
        undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    ).from_string(source)


class Templates:
    """The templates of a run, compiled once each.

    Args:
        directory: a user's own templates, which win by name.

    Raises:
        UsageError: `directory` is not a directory.
    """

    def __init__(self, directory: Path | None = None) -> None:
        if directory is not None and not directory.is_dir():
            raise UsageError(f"templates: {directory} is not a directory")
        self._directories = [path for path in (directory, builtin_directory()) if path is not None]
        self._loader = FileSystemLoader(self._directories)
        self._environment = ImmutableSandboxedEnvironment(
            loader=self._loader,
            undefined=StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["canary"] = CANARY
        self._compiled: dict[str, _Compiled] = {}
        self._lines: dict[str, list[str]] = {}
        self._systems: dict[str, str] = {}

    def names(self) -> list[str]:
        """All template names, sorted."""
        listed = self._environment.list_templates(extensions=[SUFFIX.removeprefix(".")])
        return sorted(name.removesuffix(SUFFIX) for name in listed)

    def render(
        self, name: str, variables: Mapping[str, Any], after: tuple[Message, ...] = ()
    ) -> tuple[Message, ...]:
        """The system message, unless it is empty, and the user message of a template.

        Args:
            name: the template's, without suffix.
            variables: what it may speak of.
            after: a conversation to continue, which has its system message already.

        Raises:
            UsageError: there is no such template, or it does not compile or render.
            Rejected: the whole prompt is larger than `MAX_PROMPT_CHARACTERS`.
        """
        compiled = self._load(name)
        if missing := {"system", "user"} - compiled.blocks.keys():
            raise UsageError(f"template {name}{SUFFIX} has no block {', '.join(sorted(missing))}")
        # Not `Template.new_context`: it merges the environment's variables anew for each prompt.
        context = Context(self._environment, {**compiled.variables, **variables}, name, {})
        context.blocks = compiled.blocks
        try:
            texts = [
                (role, "".join(compiled.blocks[role][0](context)).strip())
                for role in (("user",) if after else ("system", "user"))
            ]
        except TemplateError as error:
            raise UsageError(f"template {name}{SUFFIX}: {error.message}") from error
        # The same object each time, so that its hash is computed once.
        if not after and self._systems.get(name) != texts[0][1]:
            self._systems[name] = texts[0][1]
        kept = {"system": self._systems.get(name)}
        told = (Message(role, kept.get(role) or text) for role, text in texts if text)
        messages = (*after, *told)
        if (size := sum(len(text) for _, text in messages)) > MAX_PROMPT_CHARACTERS:
            raise SampleRejected(
                Reason.PROMPT_TOO_LARGE,
                f"the prompt {name!r} has {size} characters, the limit is {MAX_PROMPT_CHARACTERS}",
            )
        return messages

    def digest(self, name: str) -> str:
        """A short hash of the template's source and of all it extends."""
        return self._load(name).digest

    def digests(self) -> dict[str, str]:
        """A short hash of whatever shapes a prompt or a record: each template, each text file."""
        texts = self._environment.list_templates(extensions=["txt"])
        return {name: self.digest(name) for name in self.names()} | {
            file: blake2b(self._source(file).encode(), digest_size=8).hexdigest() for file in texts
        }

    def instructions(self) -> tuple[str, ...]:
        """What stands in `system` blocks, in pieces around what differs from prompt to prompt."""
        return tuple(
            text.data
            for name in self.names()
            for block in self._environment.parse(self._source(name + SUFFIX)).find_all(nodes.Block)
            if block.name == "system"
            for text in block.find_all(nodes.TemplateData)
        )

    def lines(self, file: str) -> list[str]:
        """The non-empty lines of a text file beside the templates, the user's own first."""
        if file not in self._lines:
            try:
                source = self._source(file)
            except TemplateNotFound as error:
                where = ", ".join(map(str, self._directories))
                raise UsageError(f"no file {file} in {where}") from error
            self._lines[file] = [line.strip() for line in source.split("\n") if line.strip()]
        return self._lines[file]

    def _load(self, name: str) -> _Compiled:
        found = self._compiled.get(name)
        if found is None:
            found = self._compiled[name] = self._compile(name)
        return found

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
                f"no template {error.name}; there are: {', '.join(self.names())}"
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
