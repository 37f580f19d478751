from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import pytest
from pydantic import BaseModel, RootModel

from tests.support.common import Scripted, Watched, completion, make_clip
from vcgen.checks.checker import MOST_PROBLEMS
from vcgen.engine.chat import Usage
from vcgen.engine.config import Endpoint
from vcgen.engine.engine import Engine
from vcgen.engine.transport.base import Reply
from vcgen.errors import Reason, SampleRejected
from vcgen.sim import Simulator, parse_faults
from vcgen.sim.clock import virtual_clock
from vcgen.tasks.ask import Answer, Ask
from vcgen.tasks.clip_context import ClipContext
from vcgen.tasks.conversation import Conversation
from vcgen.tasks.parsing import MAX_REPLY_CHARACTERS, json_schema, parse
from vcgen.tasks.recipe import Recipe
from vcgen.tasks.templates import MAX_PROMPT_CHARACTERS, Templates

T = TypeVar("T")
WORDS: dict[str, Any] = {"min_words": 5, "max_words": 20}


class Boat(BaseModel):
    name: str
    length: float


class Boats(RootModel[list[Boat]]):
    """Several."""


class Kept:
    """A call store in memory."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}

    @property
    def has_calls(self) -> bool:
        return bool(self.rows)

    def find_call(self, key: str) -> Any:
        row = self.rows.get(key)
        return row and {
            **row,
            "completion": {"text": row["completion"].text, "model": "m", "usage": {}},
        }

    def keep_call(self, row: Any) -> None:
        self.rows[row["id"]] = row


def asking(
    transport: Watched, do: Callable[[Ask], Awaitable[T]], kept: Kept | None = None, **recipe: Any
) -> T:
    """What a task gets that asks this endpoint, in virtual time."""

    async def main() -> T:
        async with Engine(Endpoint(model="sim"), transport=transport) as engine:
            calls = ClipContext(make_clip(), engine, kept)
            return await do(Ask(calls, Templates(), Recipe(**recipe), "harbour-1/x/0"))

    with virtual_clock() as runner:
        return runner.run(main())


async def describe(ask: Ask) -> Answer:
    return await ask("describe", **WORDS)


async def boat(ask: Ask) -> Answer:
    return await ask("describe", schema=Boat, **WORDS)


def rejected(
    transport: Watched, do: Callable[[Ask], Awaitable[Any]], **recipe: Any
) -> SampleRejected:
    with pytest.raises(SampleRejected) as caught:
        asking(transport, do, **recipe)
    return caught.value


def test_an_answer_has_the_text_the_usage_and_the_conversation() -> None:
    answer = asking(Scripted([" A boat leaves. "]), describe)
    assert (answer.text, answer.data) == ("A boat leaves.", "A boat leaves.")
    assert answer.usage == Usage(10, 5)
    assert [message.role for message in answer.messages] == ["system", "user", "assistant"]


@pytest.mark.parametrize(
    "reply",
    [
        '{"name": "Ida", "length": 7}',
        '```json\n{"name": "Ida", "length": 7}\n```',
        '```\n{"name": "Ida", "length": 7}```',
        '{"name": "Ida", "length": 7,}',
        '<think>\nHm, {"name"?\n</think>\n{"name": "Ida", "length": 7}',
        'Here you are: {"name": "Ida", "length": 7}',
        "{'name': 'Ida', 'length': 7}",
    ],
)
def test_small_faults_of_form_cost_no_second_request(reply: str) -> None:
    transport = Scripted([reply])
    assert asking(transport, boat).data == Boat(name="Ida", length=7)
    assert len(transport.bodies) == 1


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ('{"name": "Ida"}', "length: Field required"),
        ('{"name": "Ida", "length": "long"}', "length: Input should be a valid number"),
        ("It is called Ida.", "it is not JSON"),
        ("[1, 2]", "Input should be an object"),
        ("", "it is empty"),
        ("<think>nothing</think>", "it is empty"),
    ],
)
def test_a_reply_that_cannot_be_used_is_sent_back_with_what_is_wrong(
    reply: str, problem: str
) -> None:
    transport = Scripted([reply, '{"name": "Ida", "length": 7}'])
    answer = asking(transport, boat)
    assert answer.data == Boat(name="Ida", length=7)
    assert answer.usage == Usage(20, 10)
    first, second = (body["messages"] for body in transport.bodies)
    assert second[:2] == first
    assert second[2] == {"role": "assistant", "content": reply}
    assert f"- {problem}" in second[3]["content"] or problem in second[3]["content"]
    assert len(second) == 4


def test_what_accept_finds_wrong_is_sent_back_too() -> None:
    def accept(answer: Answer) -> Sequence[str]:
        return [] if "boat" in answer.text else ["it does not name the boat", "it is dull"]

    async def do(ask: Ask) -> Answer:
        return await ask("describe", accept=accept, **WORDS)

    transport = Scripted(["A man works.", "A man unties the boat."])
    assert asking(transport, do).text == "A man unties the boat."
    said = transport.bodies[1]["messages"]
    assert said[-2]["content"] == "A man works."
    assert "- it does not name the boat\n- it is dull\n" in said[-1]["content"]
    error = rejected(Scripted(["No.", "No!"]), do)
    assert (error.reason, error.reply) == (Reason.FAILED_CHECKS, "No!")
    assert error.message == "it does not name the boat; it is dull"


@pytest.mark.parametrize("repairs", [0, 1, 3])
def test_after_so_many_repairs_it_is_a_reject(repairs: int) -> None:
    transport = Scripted(["no JSON"] * (1 + repairs))
    error = rejected(transport, boat, repairs=repairs)
    assert (error.reason, error.reply) == (Reason.INVALID_REPLY, "no JSON")
    assert len(transport.bodies) == 1 + repairs


def test_a_cut_reply_gets_four_times_the_room_once() -> None:
    transport = Scripted([completion("A boat le", "length"), "A boat leaves."])
    answer = asking(transport, describe, max_tokens=100)
    assert (answer.text, answer.usage) == ("A boat leaves.", Usage(20, 10))
    assert [body["max_tokens"] for body in transport.bodies] == [100, 400]
    assert transport.bodies[0]["messages"] == transport.bodies[1]["messages"]


def test_a_reply_cut_twice_is_a_reject() -> None:
    error = rejected(
        Scripted([completion("A", "length"), completion("A boat", "length")]), describe
    )
    assert (error.reason, error.reply) == (Reason.TRUNCATED, "A boat")
    assert "4096 tokens" in error.message


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (completion("I'm sorry, but I can't help with that."), Reason.REFUSAL),
        (completion("I\u2019m unable to view videos."), Reason.REFUSAL),
        (completion(None, refusal="Not this."), Reason.REFUSAL),
        (completion("", "content_filter"), Reason.CONTENT_FILTER),
    ],
)
def test_what_is_withheld_is_a_reject_at_once(reply: Reply, reason: Reason) -> None:
    for do in (describe, boat):
        assert rejected(Scripted([reply]), do).reason == reason


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("refusal", Reason.REFUSAL),
        ("length", Reason.TRUNCATED),
        ("badjson", Reason.INVALID_REPLY),
        ("html", Reason.INVALID_RESPONSE),
        ("500", Reason.SERVER_ERROR),
        ("hang", Reason.TIMEOUT),
        ("fence", None),
        ("comma", None),
    ],
)
def test_faults_of_the_endpoint_end_as_answers_or_rejects(
    fault: str, reason: Reason | None
) -> None:
    async def do(ask: Ask) -> Answer:
        narrative = "=== narrative x ===\nA boat leaves.\n=== end of narrative x ==="
        return await ask("converse", schema=Conversation, kinds=["causal"], narrative=narrative)

    transport = Watched(Simulator(faults=parse_faults(f"{fault}:1")))
    if reason is None:
        assert isinstance(asking(transport, do).data, Conversation)
    else:
        assert rejected(transport, do).reason is reason


def test_the_same_question_is_asked_once() -> None:
    async def do(ask: Ask) -> tuple[Answer, Answer, Usage, int]:
        return await describe(ask), await describe(ask), ask.usage, ask.attempts

    transport = Scripted(["A boat leaves."])
    first, second, usage, attempts = asking(transport, do)
    assert first.text == second.text
    assert (first.usage, second.usage) == (Usage(10, 5), Usage())
    assert (usage, attempts) == (Usage(10, 5), 1)


def test_an_answer_is_kept_before_the_next_request_leaves() -> None:
    kept = Kept()

    class Looking(Scripted):
        async def post(self, *args: Any) -> Reply:
            seen.append(len(kept.rows))
            return await super().post(*args)

    async def do(ask: Ask) -> None:
        said = await describe(ask)
        await ask("answer", after=await ask("answer", after=said))

    seen: list[int] = []
    asking(Looking(["One.", "Two.", "Three."]), do, kept)
    assert seen == [0, 1, 2]
    nothing_to_send = Scripted(["Three."])
    asking(nothing_to_send, do, kept)
    assert len(nothing_to_send.bodies) == 1


def test_a_conversation_goes_on_after_an_answer_without_a_second_system_message() -> None:
    async def do(ask: Ask) -> Answer:
        return await ask("answer", after=await describe(ask))

    transport = Scripted(["A boat leaves.", "Because of the tide."])
    assert asking(transport, do).text == "Because of the tide."
    roles = [message["role"] for message in transport.bodies[1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]


def test_draws_are_those_of_the_seed_and_the_sample() -> None:
    async def do(ask: Ask) -> list[float]:
        return [ask.random.random(), ask.random.random(), ask.pick(range(10**9))]

    assert asking(Scripted([]), do) == asking(Scripted([]), do)
    assert asking(Scripted([]), do) != asking(Scripted([]), do, seed=1)


@pytest.mark.parametrize(
    "text", ["[" * 5_000, "{" * 1_000_000, "{" * 1_000, '{"name": "\\ud800", "length": 1}']
)
def test_hostile_json_is_a_problem_and_no_error(text: str) -> None:
    value, problems = parse(text, Boat)
    assert value is None
    assert problems


def test_a_reply_that_is_no_reply_by_its_length_is_a_reject_at_once() -> None:
    error = rejected(Scripted(["x" * 5_000_000]), describe)
    assert error.reason is Reason.INVALID_REPLY
    assert "5000000 characters, the limit is 262144" in error.message
    assert len(error.reply) == MAX_REPLY_CHARACTERS
    longest = "x" * MAX_REPLY_CHARACTERS
    assert asking(Scripted([longest]), describe).text == longest


def test_a_conversation_that_has_grown_too_long_is_a_reject_and_not_sent() -> None:
    async def do(ask: Ask) -> None:
        answer = await describe(ask)
        while True:
            answer = await ask("answer", after=answer)

    transport = Scripted(["x" * MAX_REPLY_CHARACTERS] * 9)
    assert rejected(transport, do).reason is Reason.PROMPT_TOO_LARGE
    longest = max(
        sum(len(message["content"]) for message in body["messages"]) for body in transport.bodies
    )
    assert MAX_PROMPT_CHARACTERS - MAX_REPLY_CHARACTERS < longest <= MAX_PROMPT_CHARACTERS


def test_of_very_many_faults_only_the_number_is_told() -> None:
    value, problems = parse(f"[{'0,' * 100_000}0]", Boats)
    assert (value, problems) == (None, ["100001 faults"])


def test_of_very_many_problems_a_few_are_sent_back() -> None:
    transport = Scripted(["At 9999 seconds it ends. " * 5_000, "A boat leaves."])

    async def narrative(ask: Ask) -> Answer:
        faults = lambda answer: ["it says 9999"] * answer.text.count("9999")  # noqa: E731
        return await ask("refine", draft="", accept=faults)

    asking(transport, narrative)
    assert transport.bodies[-1]["messages"][-1]["content"].count("9999") == MOST_PROBLEMS


def test_the_schema_sent_is_closed_and_requires_everything() -> None:
    class Fleet(BaseModel):
        boats: list[Boat]
        harbour: str = ""

    schema = json_schema(Fleet)
    assert schema.name == "fleet"
    assert schema.definition["required"] == ["boats", "harbour"]
    assert schema.definition["additionalProperties"] is False
    assert schema.definition["$defs"]["Boat"]["additionalProperties"] is False
