"""From a template to a usable answer: render, ask, parse, check, and ask again with what was wrong.

An answer that two tasks of a clip ask for is asked for once. Every answer that is not the last of
its clip is kept on disk before the next request leaves, so that no crash makes us pay twice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from vcgen.checks.checker import MOST_PROBLEMS, Checker, Problem
from vcgen.data.hashing import hash64
from vcgen.engine.chat import ChatRequest, Completion, Message, Usage
from vcgen.engine.pricing import Price
from vcgen.errors import Reason, SampleRejected
from vcgen.tasks.clip_context import ClipContext
from vcgen.tasks.parsing import (
    _raise_if_too_long,
    _raise_if_withheld,
    _read,
    json_schema,
)
from vcgen.tasks.recipe import Recipe

if TYPE_CHECKING:
    from vcgen.tasks.templates import Templates


MORE_ROOM = 4  # how many times the room a reply gets that was cut by max_tokens


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


@dataclass
class Ask:
    """What a task asks with: `await ask("describe", min_words=80, max_words=160)`.

    Attributes:
        recipe: what the run is to produce.
        usage, attempts, templates, model: what the sample has used so far.
        repairs: how many of its answers came back with what was wrong with them.
        instructions: the system prompts it has used, by template.
    """

    calls: ClipContext
    prompts: "Templates"
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
        return hash64(f"{self.recipe.seed}/{self.sample}")

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
                raise SampleRejected(reason, "; ".join(problems), reply=completion.text)
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
        raise SampleRejected(
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


def _weigh(found: Sequence[str | Problem]) -> tuple[list[str], bool]:
    """What is wrong, in words, and whether to ask again can help; what is flagged is not wrong."""
    wrong = [each for each in found if isinstance(each, str) or each.severity != "flag"]
    hopeless = any(isinstance(each, Problem) and each.severity == "reject" for each in wrong)
    return list(map(str, wrong[:MOST_PROBLEMS])), not hopeless
