"""A prompt in any of its forms; usage adds up."""

from vcgen.engine.chat import ChatRequest, Message, Usage

REQUEST = ChatRequest(messages=(Message("user", "Hello."),), max_tokens=7)


def test_prompt_may_be_text_or_messages_or_a_request() -> None:
    assert ChatRequest.of(REQUEST) is REQUEST
    assert ChatRequest.of("Hello.").messages == (Message("user", "Hello."),)
    assert ChatRequest.of([Message("system", "Be brief.")]).messages[0].role == "system"


def test_usage_adds_up_and_is_known_by_its_prompt() -> None:
    assert Usage(1, 2, 3, 4, 5) + Usage(10, 20, 30, 40, 50) == Usage(11, 22, 33, 44, 55)
    assert Usage(1).is_known
    assert not Usage(0, 9).is_known
