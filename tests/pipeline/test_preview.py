"""A prompt is shown as it would be sent, with placeholders for the replies before it."""

from collections.abc import Sequence

import pytest

from tests.support.common import make_clip, run
from vcgen.engine.chat import Message
from vcgen.errors import UsageError
from vcgen.pipeline.preview import preview


def shown(template: str, tasks: Sequence[str], language: str | None = None) -> list[Message]:
    messages: list[Message] = []

    async def main() -> None:
        messages.extend(await preview(make_clip(), template, tasks, language=language))

    run(main)
    return messages


@pytest.mark.parametrize(
    ("template", "tasks", "roles"),
    [
        ("describe", ["description"], ["system", "user"]),
        ("refine", ["description"], ["system", "user"]),
        ("converse", ["description", "conversation"], ["system", "user"]),
        ("answer", ["conversation-selfchat"], ["system", "user", "assistant", "user"]),
        ("judge", ["description"], ["system", "user"]),
    ],
)
def test_each_template_is_shown(template: str, tasks: list[str], roles: list[str]) -> None:
    messages = shown(template, tasks)
    assert [message.role for message in messages] == roles
    # The evidence is in every prompt but that of the clean-up pass.
    has_evidence = any("two crates along a pier" in message.content for message in messages)
    assert has_evidence == (template != "refine")


def test_a_reply_before_is_a_placeholder_with_its_length() -> None:
    for template, task in (("converse", "conversation"), ("refine", "description")):
        assert "[the reply to `describe`, about 120 words]" in shown(template, [task])[-1].content


def test_the_language_is_in_the_prompt() -> None:
    assert "Write in Chinese" in shown("describe", ["description"], "Chinese")[0].content


def test_a_template_that_no_task_sends_is_wrong_use() -> None:
    with pytest.raises(UsageError, match="none of the tasks description sends 'question'"):
        shown("question", ["description"])
    with pytest.raises(UsageError, match="nothing"):
        shown("nothing", ["description"])
