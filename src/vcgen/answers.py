"""From a template to a usable answer: render, ask, parse, check, and ask again with what was wrong.

An answer that two tasks of a clip ask for is asked for once. Every answer that is not the last of
its clip is kept on disk before the next request leaves, so that no crash makes us pay twice.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from vcgen.chat import ChatRequest, Completion, Message, Schema, encode
from vcgen.checks import MOST_PROBLEMS, Checker, Problem
from vcgen.clips import Clip, explain
from vcgen.config import Dialect
from vcgen.engine import Engine
from vcgen.errors import Reason, Rejected
from vcgen.evidence import render_evidence
from vcgen.hashes import digest, number_of
from vcgen.pricing import Price
from vcgen.recipe import Recipe
from vcgen.records import Usage
from vcgen.turns import Work

if TYPE_CHECKING:
    from vcgen.prompts import Prompts

# The fields of a clip that templates see: plain values, no methods to call.
_SHOWN = ("id", "video", "duration", "caption", "tags", "summary", "language")

MORE_ROOM = 4  # how many times the room a reply gets that was cut by max_tokens
# The mender takes up to 0.1 ms a character, and everybody waits meanwhile.
MENDABLE_CHARACTERS = 20_000
# Some 65,000 tokens, more than models write. What is longer is not worth the time to look at it.
MAX_REPLY_CHARACTERS = 1 << 18

_FENCED = re.compile(r"^```[a-zA-Z]*\n(.*?)\n?```$", re.DOTALL)
_THINKING = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)
_REFUSALS = re.compile(
    r"^(i['\u2019]?m (really |very )?sorry|i am (really |very )?sorry|sorry,|i apologi[sz]e"
    r"|i can(['\u2019]t|not| not) (help|assist|comply|provide|fulfil|do that|create|generate"
    r"|watch|view)"
    r"|i['\u2019]?m (unable|not able)|i am (unable|not able)|as an ai\b)",
    re.IGNORECASE,
)

T = TypeVar("T")
Accept = Callable[["Answer"], Sequence[str | Problem]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A usable reply.

    Attributes:
        text: as written, without code fence or thinking.
        data: the parsed reply where a schema was asked for.
        usage: tokens of all requests this answer took.
        messages: the conversation up to and including the reply, for `ask(..., after=answer)`.
    """

    text: str
    data: Any
    usage: Usage
    messages: tuple[Message, ...]


class CallStore(Protocol):
    """Where answered calls outlive a crash."""

    @property
    def has_calls(self) -> bool:
        """Whether an earlier process left any."""

    def find_call(self, key: str) -> Mapping[str, Any] | None:
        """The row kept under a key, None if there is none."""

    def keep_call(self, row: Mapping[str, Any]) -> None:
        """Keep a row; its `id` is the key."""


@dataclass(slots=True)
class ClipCalls:
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
    store: CallStore | None
    replies: int = 0
    continued: bool = False
    work: Work = field(default_factory=Work)
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
        self.evidence = digest(self.variables["evidence"])

    def of(self, engine: Engine) -> "ClipCalls":
        """Calls of another engine for the same clip, whose evidence is not rendered again."""
        return ClipCalls(
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
        body = encode(request, self.engine.endpoint.model, Dialect())
        return blake2b(body, digest_size=16).hexdigest()


def _completion_from(row: Mapping[str, Any]) -> Completion:
    return Completion(**{**row, "usage": Usage(**row["usage"])})


@dataclass
class Ask:
    """What a task asks with: `await ask("describe", min_words=80, max_words=160)`.

    Attributes:
        recipe: what the run is to produce.
        usage, attempts, templates, model: what the sample has used so far.
        repairs: how many of its answers came back with what was wrong with them.
        instructions: the system prompts it has used, by template.
    """

    calls: ClipCalls
    prompts: "Prompts"
    recipe: Recipe
    sample: str
    usage: Usage = Usage()
    attempts: int = 0
    repairs: int = 0
    model: str = ""
    templates: dict[str, str] = field(default_factory=dict)
    instructions: dict[str, str] = field(default_factory=dict)

    @property
    def checks(self) -> Checker:
        """For `accept`: `accept=lambda answer: ask.checks.answer(answer.text)`."""
        return self.calls.checks(self.recipe)

    @cached_property
    def random(self) -> Random:
        """Seeded by the run's seed and the sample, for a task's own draws."""
        return Random(self._seed())  # noqa: S311 - repeatable draws

    def pick(self, choices: Sequence[T]) -> T:
        """One of `choices`, by the same seed; where that is the only draw, `random` costs more."""
        return choices[self._seed() % len(choices)]

    def used(self, price: Price | None) -> dict[str, Any]:
        """What the sample has used so far, for `meta`."""
        usage = self.usage
        return {
            "model": self.model,
            "templates": dict(self.templates),
            "usage": {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "cached_tokens": usage.cached_tokens,
            },
            "cost": None if price is None else price.of(usage),
            "attempts": self.attempts,
            "repairs": self.repairs,
        }

    def _seed(self) -> int:
        return number_of(f"{self.recipe.seed}/{self.sample}")

    async def __call__(
        self,
        template: str,
        *,
        schema: type[BaseModel] | None = None,
        accept: Accept | None = None,
        after: Answer | None = None,
        **variables: Any,
    ) -> Answer:
        """Render a template, ask, and return the answer once it is usable.

        Args:
            template: its name, without suffix.
            schema: pydantic model the reply must be JSON of; `Answer.data` is an instance.
            accept: returns what is wrong with an answer, as problems or in words the model can
                act on; what is only to be flagged is no reason to ask again.
            after: continue this answer's conversation rather than begin one.
            variables: for the template, besides `clip`, `evidence`, `duration`, `language`.

        Raises:
            Rejected: no usable reply, after the recipe's number of repairs.
            RunStopped: the run is ending.
        """
        messages = self._render(template, variables, after)
        request = ChatRequest(
            messages=messages,
            max_tokens=self.recipe.max_tokens,
            temperature=self.recipe.temperature,
            schema=None if schema is None else json_schema(schema),
        )
        used = Usage()
        for repairs_left in range(self.recipe.repairs, -1, -1):
            is_repair = repairs_left < self.recipe.repairs
            completion, usage = await self._whole(request, is_repair=is_repair)
            used += usage
            text, data, problems = _read(completion.text, schema)
            said = (*request.messages, Message("assistant", completion.text))
            answer = Answer(text, data, used, said)
            mendable = True
            if not problems and accept is not None:
                problems, mendable = _weigh(accept(answer))
            if not problems:
                return answer
            if not (repairs_left and mendable):
                reason = Reason.INVALID_REPLY if answer.data is None else Reason.FAILED_CHECKS
                raise Rejected(reason, "; ".join(problems), reply=completion.text)
            repair = self._render("repair", {"problems": problems}, answer)
            request = replace(request, messages=repair)
        raise AssertionError("unreachable: the last round returns or raises")

    async def _whole(self, request: ChatRequest, *, is_repair: bool) -> tuple[Completion, Usage]:
        """A reply that was neither cut, filtered nor refused; once more with more room if cut."""
        used = Usage()
        for room in (1, MORE_ROOM):
            if room > 1:
                request = replace(request, max_tokens=request.max_tokens * room)
            completion, ours = await self.calls.complete(request, self.sample)
            self.model = completion.model or self.model
            if ours:
                self.attempts += completion.attempts
                self.repairs += is_repair and room == 1
                self.usage += completion.usage
                used += completion.usage
            _raise_if_too_long(completion.text)
            if completion.finish_reason != "length":
                _raise_if_withheld(completion)
                return completion, used
        raise Rejected(
            Reason.TRUNCATED,
            f"cut by max_tokens twice, the second time at {request.max_tokens} tokens",
            reply=completion.text,
        )

    def _render(
        self, template: str, variables: Mapping[str, Any], after: Answer | None
    ) -> tuple[Message, ...]:
        known = {**self.calls.variables, "language": self.recipe.language, **variables}
        messages = self.prompts.render(template, known, after.messages if after else ())
        self.templates[template] = self.prompts.digest(template)
        if messages[0].role == "system":
            self.instructions[template] = messages[0].content
        return messages


def _raise_if_too_long(text: str) -> None:
    if (size := len(text)) > MAX_REPLY_CHARACTERS:
        message = f"the reply has {size} characters, the limit is {MAX_REPLY_CHARACTERS}"
        raise Rejected(Reason.INVALID_REPLY, message, reply=text[:MAX_REPLY_CHARACTERS])


def _weigh(found: Sequence[str | Problem]) -> tuple[list[str], bool]:
    """What is wrong, in words, and whether to ask again can help; what is flagged is not wrong."""
    wrong = [each for each in found if isinstance(each, str) or each.severity != "flag"]
    hopeless = any(isinstance(each, Problem) and each.severity == "reject" for each in wrong)
    return list(map(str, wrong[:MOST_PROBLEMS])), not hopeless


def _raise_if_withheld(completion: Completion) -> None:
    text = completion.text
    if completion.finish_reason == "content_filter":
        raise Rejected(Reason.CONTENT_FILTER, "the endpoint's filter withheld it", reply=text)
    if completion.refusal or _REFUSALS.match(text.strip()):
        refusal = completion.refusal or text
        raise Rejected(Reason.REFUSAL, "the model refused", reply=refusal)


def _read(written: str, schema: type[BaseModel] | None) -> tuple[str, Any, list[str]]:
    """The text of a reply without thinking and code fence, its data, and what is wrong with it."""
    text = _THINKING.sub("", written).strip()
    if text.startswith("```") and (fenced := _FENCED.match(text)):
        text = fenced[1].strip()
    if not text:
        return text, None, ["it is empty"]
    if schema is None:
        return text, text, []
    return text, *parse(text, schema)


def parse(text: str, schema: type[BaseModel]) -> tuple[BaseModel | None, list[str]]:
    """The reply as an instance of `schema`, or what is wrong with it in words a model can act on.

    Strictly first; then with small faults of form mended (commas, quotes, words around the JSON).
    """
    try:
        return schema.model_validate_json(text), []
    except ValidationError as error:
        strict = explain(error)
    # Only what holds JSON at all is mended: from prose, a mender makes up something valid.
    if "{" not in text and "[" not in text:
        return None, ["it is not JSON"]
    if len(text) > MENDABLE_CHARACTERS:
        return None, [strict]
    import json_repair  # noqa: PLC0415 - 40 ms that most runs never need

    try:
        mended = orjson.dumps(json_repair.loads(text))
        return schema.model_validate_json(mended), []
    except ValidationError as error:
        return None, [explain(error)]
    except Exception:  # noqa: BLE001 - what a mender cannot mend may break anything in it
        return None, [strict]


@cache
def json_schema(model: type[BaseModel]) -> Schema:
    """The schema endpoints take in strict mode: every object closed, every property required.

    See https://platform.openai.com/docs/guides/structured-outputs#supported-schemas.
    """
    definition = model.model_json_schema()
    for part in (definition, *definition.get("$defs", {}).values()):
        if part.get("type") == "object":
            part["additionalProperties"] = False
            part["required"] = list(part.get("properties", {}))
    return Schema(model.__name__.lower(), definition)
