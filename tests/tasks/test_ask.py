"""An ask renders, sends, and repairs; rejects end it with their reason."""

from collections.abc import Sequence

import pytest

from tests.support.asking import WORDS, Boat, asking, boat, describe, rejected
from tests.support.common import Scripted, Watched, completion
from vcgen.checks.codes import MAX_PROBLEMS, problem
from vcgen.data.records import Reason
from vcgen.engine.chat import Usage
from vcgen.engine.transport.base import Reply
from vcgen.errors import RunStopped
from vcgen.sim import Simulator, parse_faults
from vcgen.tasks.ask import Answer, Ask
from vcgen.tasks.conversation import Conversation
from vcgen.tasks.parsing import MAX_REPLY_CHARACTERS
from vcgen.tasks.templates import MAX_PROMPT_CHARACTERS


def test_answer_has_text_usage_and_conversation() -> None:
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
    ],
)
def test_unusable_reply_is_sent_back_with_its_problems(reply: str, problem: str) -> None:
    transport = Scripted([reply, '{"name": "Ida", "length": 7}'])
    answer = asking(transport, boat)
    assert answer.data == Boat(name="Ida", length=7)
    assert answer.usage == Usage(20, 10)
    first, second = (body["messages"] for body in transport.bodies)
    assert second[:2] == first
    assert second[2] == {"role": "assistant", "content": reply}
    assert f"- {problem}" in second[3]["content"] or problem in second[3]["content"]
    assert len(second) == 4


@pytest.mark.parametrize("empty", ["", " ", "<think>nothing</think>", None])
def test_an_empty_reply_is_asked_for_anew(empty: str | None) -> None:
    """Many servers refuse an empty message, so it is not sent back."""
    transport = Scripted([completion(empty), '{"name": "Ida", "length": 7}'])
    answer = asking(transport, boat)
    assert answer.data == Boat(name="Ida", length=7)
    assert answer.usage == Usage(20, 10)
    first, second = transport.bodies
    assert first == second
    error = rejected(Scripted([completion(empty)] * 2), boat)
    assert (error.reason, error.message) == (Reason.INVALID_REPLY, "it is empty")


def test_thinking_is_neither_sent_back_nor_answered() -> None:
    transport = Scripted(
        [
            "<think>They want JSON.</think> A boat.",
            'analysisHm.assistantfinal{"name": "Ida", "length": 7}',
        ]
    )
    assert asking(transport, boat).messages[-1].content == '{"name": "Ida", "length": 7}'
    assert transport.bodies[1]["messages"][2] == {"role": "assistant", "content": "A boat."}


def test_thinking_that_does_not_end_is_a_cut_reply() -> None:
    transport = Scripted(["<think>A boat, so", "<think>Hm.</think>A boat leaves."])
    assert asking(transport, describe, max_reply_tokens=100).text == "A boat leaves."
    assert [body["max_tokens"] for body in transport.bodies] == [100, 400]
    error = rejected(Scripted(["[THINK]A boat"] * 2), describe)
    assert error.reason is Reason.TRUNCATED


def test_thinking_is_kept_on_request() -> None:
    async def do(ask: Ask) -> Answer:
        answer = await describe(ask)
        kept.append(ask.provenance.as_meta(None).get("reasoning"))
        return answer

    kept: list[object] = []
    for keep in (True, False):
        asking(Scripted(["<think>Hm.</think>A boat leaves."]), do, keep_reasoning=keep)
    assert kept == [["<think>Hm.</think>"], None]


def test_problems_of_accept_are_sent_back() -> None:
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
def test_reply_is_rejected_after_max_repairs(repairs: int) -> None:
    transport = Scripted(["no JSON"] * (1 + repairs))
    error = rejected(transport, boat, max_repairs=repairs)
    assert (error.reason, error.reply) == (Reason.INVALID_REPLY, "no JSON")
    assert len(transport.bodies) == 1 + repairs


def test_cut_reply_gets_four_times_the_room_once() -> None:
    transport = Scripted([completion("A boat le", "length"), "A boat leaves."])
    answer = asking(transport, describe, max_reply_tokens=100)
    assert (answer.text, answer.usage) == ("A boat leaves.", Usage(20, 10))
    assert [
        body.get("max_tokens") or body["max_completion_tokens"] for body in transport.bodies
    ] == [100, 400]
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
def test_withheld_reply_is_rejected_at_once(reply: Reply, reason: Reason) -> None:
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
        ("fence", None),
        ("comma", None),
    ],
)
def test_endpoint_faults_end_as_answers_or_rejects(fault: str, reason: Reason | None) -> None:
    async def do(ask: Ask) -> Answer:
        narrative = "=== narrative x ===\nA boat leaves.\n=== end of narrative x ==="
        return await ask("converse", schema=Conversation, kinds=["causal"], narrative=narrative)

    transport = Watched(Simulator(faults=parse_faults(f"{fault}:1")))
    if reason is None:
        assert isinstance(asking(transport, do).data, Conversation)
    else:
        assert rejected(transport, do).reason is reason


def test_endpoint_that_hangs_on_every_request_rejects_nothing() -> None:
    with pytest.raises(RunStopped, match="no whole reply within 120 s"):
        asking(Watched(Simulator(faults=parse_faults("hang:1"))), describe)


def test_continued_conversation_has_one_system_message() -> None:
    async def do(ask: Ask) -> Answer:
        return await ask("answer", after=await describe(ask))

    transport = Scripted(["A boat leaves.", "Because of the tide."])
    assert asking(transport, do).text == "Because of the tide."
    roles = [message["role"] for message in transport.bodies[1]["messages"]]
    assert roles == ["system", "user", "assistant", "user"]


def test_draws_depend_on_seed_and_sample() -> None:
    async def do(ask: Ask) -> list[float]:
        return [ask.random.random(), ask.random.random(), ask.pick(range(10**9))]

    assert asking(Scripted([]), do) == asking(Scripted([]), do)
    assert asking(Scripted([]), do) != asking(Scripted([]), do, seed=1)


def test_overlong_reply_is_rejected_at_once() -> None:
    error = rejected(Scripted(["x" * 5_000_000]), describe)
    assert error.reason is Reason.INVALID_REPLY
    assert "5000000 characters, the limit is 262144" in error.message
    assert len(error.reply) == MAX_REPLY_CHARACTERS
    longest = "x" * MAX_REPLY_CHARACTERS
    assert asking(Scripted([longest]), describe).text == longest


def test_overlong_conversation_is_rejected_unsent() -> None:
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


def test_only_ten_problems_are_sent_back() -> None:
    transport = Scripted(["At 9999 seconds it ends. " * 5_000, "A boat leaves."])

    async def narrative(ask: Ask) -> Answer:
        faults = lambda answer: ["it says 9999"] * answer.text.count("9999")  # noqa: E731
        return await ask("refine", draft="", accept=faults)

    asking(transport, narrative)
    assert transport.bodies[-1]["messages"][-1]["content"].count("9999") == MAX_PROBLEMS


def test_a_reject_has_the_codes_of_the_checks_it_failed() -> None:
    async def do(ask: Ask) -> Answer:
        found = [
            problem("markup", "no <b>"),
            problem("order", "early"),
            problem("markup", "no <i>"),
        ]
        return await ask("describe", accept=lambda _: ["it is dull", *found], **WORDS)

    error = rejected(Scripted(["No.", "No!"]), do)
    assert error.codes == ("markup",)  # a flag rejects nothing
    assert error.message == "it is dull; no <b>; no <i>"
