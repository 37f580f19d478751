"""The state that the tasks of one clip share: its evidence, its checks, its completed calls."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Protocol

from vcgen.checks.checker import Checker
from vcgen.data.clips import Clip
from vcgen.data.hashing import hash_hex
from vcgen.data.records import Reason
from vcgen.engine.chat import ChatRequest, Completion, Usage
from vcgen.engine.engine import Engine
from vcgen.engine.limits.queue import Affinity
from vcgen.engine.wire.completions import Form, encode
from vcgen.errors import RequestFailed, SampleRejected
from vcgen.tasks.evidence import render_evidence
from vcgen.tasks.recipe import Recipe

# The fields of a clip that templates see: plain values, no methods to call.
_VISIBLE_FIELDS = ("id", "video", "duration", "caption", "tags", "summary", "language")


class CallStore(Protocol):
    """Where completed calls outlive a crash."""

    @property
    def has_calls(self) -> bool:
        """Whether an earlier process left any."""

    def find_call(self, key: str) -> Mapping[str, Any] | None:
        """Return the row kept under a key, or None."""

    def keep_call(self, row: Mapping[str, Any]) -> None:
        """Keep a row; its `id` is the key."""


@dataclass(slots=True)
class CallCache:
    """The completions of one clip: each request is sent once, for all tasks and across a crash.

    A completion reaches the store before the next request leaves. The last one of a clip need not:
    the record made of it is written instead.

    Attributes:
        affinity: keeps the requests of the clip at one endpoint, for its prefix cache.
    """

    engine: Engine
    store: CallStore | None
    clip_id: str
    affinity: Affinity = field(default_factory=Affinity)
    _completions: dict[ChatRequest, Completion] = field(default_factory=dict)
    _unsaved: list[tuple[ChatRequest, str, Completion]] = field(default_factory=list)

    async def complete(self, request: ChatRequest, sample: str) -> tuple[Completion, bool]:
        """Return the completion, and whether this sample accounts for its cost."""
        if request in self._completions:
            return self._completions[request], False
        if self.store is not None and self.store.has_calls:
            row = self.store.find_call(self._key(request))
            if row is not None:
                self.affinity.begun = True
                kept = row["completion"]
                completion = Completion(**{**kept, "usage": Usage(**kept["usage"])})
                self._completions[request] = completion
                return completion, row["sample"] == sample
        self.flush()
        try:
            completion = await self.engine.complete(request, affinity=self.affinity)
        except RequestFailed as error:
            reason = Reason(error.reason)
            raise SampleRejected(reason, error.message, attempts=error.attempts) from error
        self._completions[request] = completion
        self._unsaved.append((request, sample, completion))
        return completion, True

    def flush(self) -> None:
        """Write the completions received since the last flush to the store."""
        if self.store is not None:
            for request, sample, completion in self._unsaved:
                row = {"id": self._key(request), "clip_id": self.clip_id, "sample": sample}
                self.store.keep_call(row | {"completion": completion})
        self._unsaved.clear()

    def rows(self) -> dict[str, Mapping[str, Any]]:
        """Return all completions of the clip so far, by key, as `CallStore.find_call` does."""
        return {
            self._key(request): {"sample": "", "completion": completion}
            for request, completion in self._completions.items()
        }

    def _key(self, request: ChatRequest) -> str:
        body = encode(request, Form(self.engine.endpoint.model))
        draw = b"" if not request.draw else b"%d" % request.draw
        return blake2b(body + draw, digest_size=16).hexdigest()


class ClipContext:
    """A clip as its tasks see it.

    Attributes:
        calls: its completions so far.
        evidence: its text between two fence lines, as prompts have it.
        evidence_hash: of that text, 16 hexadecimal digits.
        variables: the names that templates may use.
    """

    def __init__(self, clip: Clip, engine: Engine, store: CallStore | None) -> None:
        self.clip = clip
        self.calls = CallCache(engine, store, clip.id)
        self.evidence = render_evidence(clip)
        self.evidence_hash = hash_hex(self.evidence)
        self.variables = {
            "clip": {name: getattr(clip, name) for name in _VISIBLE_FIELDS},
            "evidence": self.evidence,
            "duration": clip.duration,
        }
        self._checker: Checker | None = None

    def with_engine(self, engine: Engine) -> "ClipContext":
        """Return the same context with a cache of its own for the calls of another engine."""
        other = copy(self)
        other.calls = CallCache(engine, self.calls.store, self.clip.id)
        return other

    def checker(self, recipe: Recipe) -> Checker:
        """Return the checks of all texts about the clip; every call gets the same ones."""
        if self._checker is None:
            self._checker = Checker(
                self.clip,
                language=recipe.language,
                description_words=recipe.description_words,
                severities=recipe.checks,
            )
        return self._checker
