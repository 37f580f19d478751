"""Ask for an answer: render a template, send it, check the reply, send it back to be repaired."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import BaseModel

from vcgen.checks.checker import Checker
from vcgen.checks.codes import MAX_PROBLEMS, Problem
from vcgen.data.hashing import hash64
from vcgen.data.records import Reason
from vcgen.engine.chat import ChatRequest, Completion, Message, Usage
from vcgen.errors import SampleRejected
from vcgen.tasks.clip_context import ClipContext
from vcgen.tasks.parsing import json_schema, read_reply, reject_too_long, reject_withheld
from vcgen.tasks.provenance import Provenance
from vcgen.tasks.recipe import Recipe
from vcgen.tasks.thinking import split_thinking

if TYPE_CHECKING:
    from vcgen.tasks.templates import Templates

MORE_ROOM = 4  # times the tokens, for the second request after a reply cut by its token limit

T = TypeVar("T")
Accept = Callable[["Answer"], Sequence[str | Problem]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A usable reply.

    Attributes:
        text: as written, without code fence or thinking.
        data: the parsed reply where a schema was asked for.
        usage: tokens of all requests this answer took.
        messages: the conversation up to and including the reply, without its thinking, for
            `ask(..., after=answer)`.
    """

    text: str
    data: Any
    usage: Usage
    messages: tuple[Message, ...]


@dataclass
class Ask:
    """A task's way to the model: `await ask("describe", min_words=80, max_words=160)`.

    Attributes:
        context: the clip, its evidence and its calls, shared with the clip's other tasks.
        prompts: the templates.
        recipe: of the run.
        sample: the id of the sample that the answers are for.
        provenance: the requests made for it so far.
    """

    context: ClipContext
    prompts: "Templates"
    recipe: Recipe
    sample: str
    provenance: Provenance = field(default_factory=Provenance)

    @property
    def checks(self) -> Checker:
        """For `accept`: `accept=lambda answer: ask.checks.answer(answer.text)`."""
        return self.context.checker(self.recipe)

    @cached_property
    def random(self) -> Random:
        """Random numbers for a task's own draws, seeded by the run's seed and the sample."""
        return Random(self._seed())  # noqa: S311 - repeatable draws

    def pick(self, choices: Sequence[T]) -> T:
        """Draw one of `choices` by the same seed; cheaper than `random` for a single draw."""
        return choices[self._seed() % len(choices)]

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
        """Render a template, send it, and return the answer once it is usable.

        Args:
            template: its name, without suffix.
            schema: pydantic model of a JSON reply; `Answer.data` is an instance.
            accept: returns the problems of an answer, as `Problem` or as text for the model. Flags
                do not make an answer unusable.
            after: continue this answer's conversation rather than begin one.
            variables: for the template, besides `clip`, `evidence`, `duration`, `language`.

        Raises:
            SampleRejected: no usable reply within the recipe's `max_repairs`.
            RunStopped: the run is ending.
        """
        request = ChatRequest(
            messages=self._render(template, variables, after),
            max_tokens=self.recipe.max_reply_tokens,
            temperature=self.recipe.temperature,
            effort=self.recipe.effort,
            thinking_room=self.recipe.thinking_room,
            schema=None if schema is None else json_schema(schema),
        )
        usage = Usage()
        for repairs in range(self.recipe.max_repairs + 1):
            completion, used = await self._complete(request, is_repair=repairs > 0)
            usage += used
            text, data, problems = read_reply(completion.text, schema)
            messages = (*request.messages, Message("assistant", completion.text))
            answer = Answer(text, data, usage, messages)
            can_repair = repairs < self.recipe.max_repairs
            codes: Sequence[str] = ()
            if not problems and accept is not None:
                problems, codes, is_final = split_problems(accept(answer))
                can_repair = can_repair and not is_final
            if not problems:
                return answer
            if can_repair and not text:  # many servers refuse an empty message
                request = replace(request, draw=request.draw + 1)
                continue
            if not can_repair:
                reason = Reason.INVALID_REPLY if data is None else Reason.FAILED_CHECKS
                message = "; ".join(problems)
                raise SampleRejected(reason, message, reply=completion.text, codes=codes)
            repair = self._render("repair", {"problems": problems}, answer)
            request = replace(request, messages=repair)
        raise AssertionError("unreachable: the last round returns or raises")

    async def _complete(self, request: ChatRequest, *, is_repair: bool) -> tuple[Completion, Usage]:
        """Return a whole reply and its usage; ask for a cut one once more, with more room.

        A reply whose thinking does not end is cut. The text that is returned has no thinking.

        Raise SampleRejected if the reply is cut twice, withheld by the endpoint, or a refusal.
        """
        usage = Usage()
        for room in (1, MORE_ROOM):
            if room > 1:
                request = replace(request, max_tokens=request.max_tokens * room)
            completion, is_ours = await self.context.calls.complete(request, self.sample)
            self.provenance.model = completion.model or self.provenance.model
            if is_ours:
                self.provenance.add(completion, is_repair=is_repair and room == 1)
                usage += completion.usage
            reject_too_long(completion.text)
            parts = split_thinking(completion.text, self.recipe.thinking_marks)
            if completion.finish_reason != "length" and not parts.is_open:
                completion = replace(completion, text=parts.text)
                reject_withheld(completion)
                if self.recipe.keep_reasoning:
                    self.provenance.keep_reasoning(parts.thinking or completion.reasoning)
                return completion, usage
        raise SampleRejected(
            Reason.TRUNCATED,
            f"cut at max_reply_tokens, and again at {request.max_tokens} tokens",
            reply=completion.text,
        )

    def _render(
        self, template: str, variables: Mapping[str, Any], after: Answer | None
    ) -> tuple[Message, ...]:
        names = {**self.context.variables, "language": self.recipe.language, **variables}
        messages = self.prompts.render(template, names, after.messages if after else ())
        self.provenance.templates[template] = self.prompts.digest(template)
        if messages[0].role == "system":
            self.provenance.instructions[template] = messages[0].content
        return messages


class Wrong(NamedTuple):
    """Problems of an answer, without flags."""

    messages: list[str]  # for the model
    codes: list[str]
    is_final: bool  # whether no repair may help


def split_problems(problems: Sequence[str | Problem]) -> Wrong:
    """Return the problems that make an answer unusable."""
    wrong = [found for found in problems if isinstance(found, str) or found.severity != "flag"]
    known = [found for found in wrong if isinstance(found, Problem)]
    is_final = any(found.severity == "reject" for found in known)
    messages = list(map(str, wrong[:MAX_PROBLEMS]))
    return Wrong(messages, [found.code for found in known], is_final)
