"""Calls of a clip: shared by its tasks, and kept before the next request leaves."""

from typing import Any

from tests.support.asking import Kept, asking, describe
from tests.support.common import Scripted
from vcgen.engine.chat import Usage
from vcgen.engine.transport.base import Reply
from vcgen.tasks.ask import Answer, Ask


def test_equal_requests_are_sent_once() -> None:
    async def do(ask: Ask) -> tuple[Answer, Answer, Usage, int]:
        return (
            await describe(ask),
            await describe(ask),
            ask.provenance.usage,
            ask.provenance.attempts,
        )

    transport = Scripted(["A boat leaves."])
    first, second, usage, attempts = asking(transport, do)
    assert first.text == second.text
    assert (first.usage, second.usage) == (Usage(10, 5), Usage())
    assert (usage, attempts) == (Usage(10, 5), 1)


def test_answer_is_kept_before_the_next_request() -> None:
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


def test_context_of_another_engine_shares_evidence_not_calls() -> None:
    async def do(ask: Ask) -> None:
        await describe(ask)
        context = ask.context
        other = context.with_engine(context.calls.engine)
        assert other.variables is context.variables
        assert other.calls is not context.calls
        assert context.checker(ask.recipe) is context.checker(ask.recipe)

    asking(Scripted(["A boat leaves."]), do)
