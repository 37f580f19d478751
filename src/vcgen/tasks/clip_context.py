"""The calls of one clip: each paid once, shared by its tasks, kept for a crash."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

from vcgen.checks.checker import Checker
from vcgen.data.clips import Clip
from vcgen.data.hashing import hash_hex
from vcgen.engine.chat import ChatRequest, Completion, Usage, encode
from vcgen.engine.config import Capabilities
from vcgen.engine.engine import Engine
from vcgen.engine.limits.queue import Affinity
from vcgen.tasks.evidence import render_evidence
from vcgen.tasks.recipe import Recipe

if TYPE_CHECKING:
    pass


# The fields of a clip that templates see: plain values, no methods to call.
_SHOWN = ("id", "video", "duration", "caption", "tags", "summary", "language")


class CallCache(Protocol):
    """Where answered calls outlive a crash."""

    @property
    def has_calls(self) -> bool:
        """Whether an earlier process left any."""

    def find_call(self, key: str) -> Mapping[str, Any] | None:
        """The row kept under a key, None if there is none."""

    def keep_call(self, row: Mapping[str, Any]) -> None:
        """Keep a row; its `id` is the key."""


@dataclass(slots=True)
class ClipContext:
    """The calls made for one clip: each paid once, shared by the clip's tasks.

    Attributes:
        variables: what templates may say of the clip.
        evidence: a hash of what they say of it, in 16 hexadecimal digits.
        replies: how many came in this run.
        continued: whether some was answered before.
        work: what they are to the queue.
    """

    clip: Clip
    engine: Engine
    store: CallCache | None
    replies: int = 0
    continued: bool = False
    work: Affinity = field(default_factory=Affinity)
    variables: dict[str, Any] = field(default_factory=dict)
    evidence: str = ""
    _answered: dict[ChatRequest, Completion] = field(default_factory=dict)
    _unkept: list[tuple[ChatRequest, str, Completion]] = field(default_factory=list)
    _checks: Checker | None = None

    def __post_init__(self) -> None:
        if self.variables:
            return
        clip = self.clip
        self.variables = {
            "clip": {name: getattr(clip, name) for name in _SHOWN},
            "evidence": render_evidence(clip),
            "duration": clip.duration,
        }
        self.evidence = hash_hex(self.variables["evidence"])

    def of(self, engine: Engine) -> "ClipContext":
        """Calls of another engine for the same clip, whose evidence is not rendered again."""
        return ClipContext(
            self.clip, engine, self.store, variables=self.variables, evidence=self.evidence
        )

    async def complete(self, request: ChatRequest, sample: str) -> tuple[Completion, bool]:
        """The completion, and whether it is this sample's to account for."""
        if request in self._answered:
            return self._answered[request], False
        if self.store is not None and self.store.has_calls:
            kept = self.store.find_call(self._key(request))
            if kept is not None:
                self.continued = self.work.begun = True
                completion = _completion_from(kept["completion"])
                self._answered[request] = completion
                return completion, kept["sample"] == sample
        self.keep()
        completion = await self.engine.complete(request, work=self.work)
        self.replies += 1
        self._answered[request] = completion
        self._unkept.append((request, sample, completion))
        return completion, True

    def checks(self, recipe: Recipe) -> Checker:
        """The checks of all that is written for the clip."""
        if self._checks is None:
            self._checks = Checker(
                self.clip,
                language=recipe.language,
                words=recipe.words,
                severities=recipe.checks,
            )
        return self._checks

    def keep(self) -> None:
        """Put on disk what was answered since the last time."""
        if self.store is not None:
            for request, sample, completion in self._unkept:
                row = {"id": self._key(request), "clip_id": self.clip.id, "sample": sample}
                self.store.keep_call(row | {"completion": completion})
        self._unkept.clear()

    def _key(self, request: ChatRequest) -> str:
        body = encode(request, self.engine.endpoint.model, Capabilities())
        return blake2b(body, digest_size=16).hexdigest()


def _completion_from(row: Mapping[str, Any]) -> Completion:
    return Completion(**{**row, "usage": Usage(**row["usage"])})
