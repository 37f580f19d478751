"""Do tasks without sending anything: every prompt is rendered, every reply is a placeholder.

The placeholder has the length that the recipe asks for. Nothing is checked, so that a task goes
through all its steps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ValidationError

from vcgen.data.records import KINDS, Reason
from vcgen.engine.chat import ChatRequest, Message, Usage
from vcgen.engine.config import Endpoint
from vcgen.engine.engine import Engine
from vcgen.engine.wire.completions import Form, encode
from vcgen.errors import SampleRejected
from vcgen.pipeline.faults import ending_of
from vcgen.pipeline.samples import sample_id
from vcgen.tasks.ask import Accept, Answer, Ask
from vcgen.tasks.clip_context import ClipContext
from vcgen.tasks.conversation import Conversation, ConversationTurn
from vcgen.tasks.judge import Judgement, Verdict, Verdicts
from vcgen.tasks.parsing import json_schema
from vcgen.tasks.recipe import Recipe
from vcgen.tasks.task import Task

if TYPE_CHECKING:
    from vcgen.tasks.templates import Templates

# English text, after https://help.openai.com/en/articles/4936856: a token is about 4 characters,
# or three quarters of a word.
BYTES_PER_TOKEN = 4
TOKENS_PER_WORD = 4 / 3
# The means of the conversations that VideoChat's paper and pages show (arXiv 2305.06355), rounded.
QUESTION_WORDS, ANSWER_WORDS = 10, 30
# A judge copies a clause of the evidence.
SPAN_WORDS = 10
_WORDS = {"question": QUESTION_WORDS, "answer": ANSWER_WORDS}

PlaceholderText = Callable[[str, int], str]
"""From the name of a template and a number of words to the text of a reply."""


def filler(_template: str, words: int) -> str:
    """A text as long as that many English words."""
    return ("word " * words * 2)[: round(words * TOKENS_PER_WORD * BYTES_PER_TOKEN)]


@dataclass
class PlaceholderAsk(Ask):
    """An `Ask` that takes a placeholder for each reply.

    Attributes:
        text: makes the placeholders.
        asked: the answers to all requests of the clip, each once.
        rendered: the first messages of each template.
    """

    text: PlaceholderText = filler
    asked: dict[ChatRequest, Answer] = field(default_factory=dict)
    rendered: dict[str, tuple[Message, ...]] = field(default_factory=dict)

    async def __call__(
        self,
        template: str,
        *,
        schema: type[BaseModel] | None = None,
        accept: Accept | None = None,  # noqa: ARG002 - a placeholder passes no check
        after: Answer | None = None,
        **variables: Any,
    ) -> Answer:
        """Render a template and return a placeholder.

        Raise SampleRejected if no placeholder satisfies the schema.
        """
        messages = self._render(template, variables, after)
        self.rendered.setdefault(template, messages)
        request = ChatRequest(
            messages=messages,
            max_tokens=self.recipe.max_reply_tokens,
            temperature=self.recipe.temperature,
            effort=self.recipe.effort,
            thinking_room=self.recipe.thinking_room,
            schema=None if schema is None else json_schema(schema),
        )
        if request not in self.asked:
            data = None if schema is None else self._data(template, schema, variables)
            text = self._prose(template) if data is None else data.model_dump_json()
            body = encode(request, Form(""))
            tokens = (len(written) // BYTES_PER_TOKEN for written in (body, text.encode()))
            conversation = (*messages, Message("assistant", text))
            self.asked[request] = Answer(text, data or text, Usage(*tokens), conversation)
        return self.asked[request]

    def _prose(self, template: str) -> str:
        least, most = self.recipe.description_words
        return self.text(template, _WORDS.get(template, (least + most) // 2))

    def _turn(self, kind: Literal["descriptive", "temporal", "causal"]) -> ConversationTurn:
        return ConversationTurn(
            kind=kind,
            question=self.text("question", QUESTION_WORDS),
            answer=self.text("answer", ANSWER_WORDS),
        )

    def _data(
        self, template: str, schema: type[BaseModel], variables: Mapping[str, Any]
    ) -> BaseModel:
        if schema is Conversation:
            question, answer = (
                self.text("question", QUESTION_WORDS),
                self.text(template, ANSWER_WORDS),
            )
            kinds = variables.get("kinds", KINDS[1:])
            turns = [
                ConversationTurn(kind=kind, question=question, answer=answer) for kind in kinds
            ]
            return Conversation(turns=turns)
        if schema is Verdicts:
            span, numbers = self.text(template, SPAN_WORDS), range(variables["count"])
            return Verdicts(
                verdicts=[Verdict(answer=1 + at, span=span, verdict="supported") for at in numbers]
            )
        definition, text = json_schema(schema).definition, self.text(template, ANSWER_WORDS)
        try:
            return schema.model_validate(_example(definition, definition, text))
        except ValidationError as error:
            message = f"no placeholder fits {schema.__name__}"
            raise SampleRejected(Reason.INVALID_REPLY, message) from error


def _example(part: Mapping[str, Any], root: Mapping[str, Any], text: str) -> Any:
    """A value for a schema that pydantic wrote, all its strings being `text`."""
    if "$ref" in part:
        return _example(root["$defs"][part["$ref"].rpartition("/")[2]], root, text)
    if "const" in part or "enum" in part:
        return part["const"] if "const" in part else part["enum"][0]
    if "anyOf" in part:
        return None if {"type": "null"} in part["anyOf"] else _example(part["anyOf"][0], root, text)
    match part.get("type"):
        case "object":
            fields = part.get("properties", {})
            return {name: _example(field, root, text) for name, field in fields.items()}
        case "array":
            return [_example(part.get("items", {}), root, text)] * max(part.get("minItems", 0), 3)
        case "integer" | "number":
            return part.get("minimum", 1)
        case "boolean":
            return True
        case _:
            return text


def unsent() -> Engine:
    """An engine for contexts that never send."""
    return Engine(Endpoint(model="unsent", base_url="http://127.0.0.1/v1"))


@dataclass
class DryRun:
    """The tasks of one clip, done with placeholders.

    Attributes:
        writing, judging: the requests to the model, and to its judge, each once.
        rendered: the first messages of each template.
    """

    context: ClipContext
    prompts: "Templates"
    recipe: Recipe
    text: PlaceholderText = filler
    writing: dict[ChatRequest, Answer] = field(default_factory=dict)
    judging: dict[ChatRequest, Answer] = field(default_factory=dict)
    rendered: dict[str, tuple[Message, ...]] = field(default_factory=dict)

    async def make(self, task: Task, *, is_judged: bool) -> None:
        """Do a task, up to the step where its own code fails on a placeholder.

        Raise VcgenError if a template is wrong.
        """
        try:
            turns = await task.function(self.context.clip, self._ask(task, self.writing))
            if is_judged:
                await Judgement(self._ask(task, self.judging), None).judge(list(turns))
        except Exception as error:
            ending = ending_of(error, task)
            if not isinstance(ending, SampleRejected):
                raise ending from error

    def _ask(self, task: Task, asked: dict[ChatRequest, Answer]) -> PlaceholderAsk:
        return PlaceholderAsk(
            self.context,
            self.prompts,
            self.recipe,
            sample_id(self.context.clip.id, task),
            text=self.text,
            asked=asked,
            rendered=self.rendered,
        )
