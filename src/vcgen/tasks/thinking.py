"""Take the thinking off a reply: everything up to the last mark that closes it.

Servers without a reasoning parser leave it in the text, and each family of models has marks of its
own. Some write only the closing one, because their chat template has written the opening one.

| marks                                          | models                                    |
|------------------------------------------------|-------------------------------------------|
| <think> </think>, <thinking>, <thought>,       | DeepSeek, Qwen, GLM, and those tuned on   |
| <reasoning>, <seed:think>, <longcat_think>     | their replies; Seed-OSS; LongCat          |
| [THINK] [/THINK]                               | Magistral                                 |
| ◁think▷ ◁/think▷                               | Kimi-VL                                   |
| <|begin_of_thought|>, <|START_THINKING|>,      | Sky-T1, Command A, Apertus                |
| <|inner_prefix|>                               |                                           |
| <|channel|>analysis ... <|channel|>final       | gpt-oss, also without its special tokens: |
|                                                | analysis ... assistantfinal               |
| <|channel>thought ... <channel|>               | Gemma                                     |
| <unused94>thought ... <unused95>               | MedGemma                                  |
"""

import re
from typing import NamedTuple

_NAME = r"[\w:-]{0,20}(?:think|thought|thoughts|reason)[\w:-]{0,20}"
_CLOSING = re.compile(
    rf"</{_NAME}>|\[/think\]|\u25c1/think\u25b7|<\|/?end_(?:of_)?think(?:ing)?\|>"
    r"|<\|end_of_thought\|>|<\|inner_suffix\|>|<\|channel\|>final(?:<\|message\|>)?|<channel\|>"
    r"|\bassistantfinal|<unused95>",
    re.IGNORECASE,
)
_OPENING = re.compile(
    rf"<{_NAME}>|\[think\]|\u25c1think\u25b7|<\|start_think(?:ing)?\|>|<\|begin_of_thought\|>"
    r"|<\|inner_prefix\|>|<\|channel\|?>\s?(?:analysis|thought|commentary)|<unused94>",
    re.IGNORECASE,
)
# Many an answer begins with the word, none with it before a capital without a space.
_ANALYSIS = re.compile(r"\A\s*analysis[A-Z]")


class Parts(NamedTuple):
    """A reply taken apart.

    Attributes:
        text: the answer.
        thinking: with its marks, empty without any.
        is_open: thinking began and has not ended, so the answer has not come.
    """

    text: str
    thinking: str
    is_open: bool


def split_thinking(reply: str, marks: tuple[str, str] | None = None) -> Parts:
    """Split a reply into thinking and answer.

    Args:
        reply: of a model.
        marks: further ones, which open and close the thinking.
    """
    end = 0
    for closing in _CLOSING.finditer(reply):
        end = closing.end()
    if marks is not None:
        end = max(end, _after(reply, marks[1]))
    rest = reply[end:]
    is_open = _OPENING.search(rest) or _ANALYSIS.match(rest)
    if is_open or (marks is not None and marks[0] in rest):
        return Parts("", reply, is_open=True)
    return Parts(rest.strip(), reply[:end].strip(), is_open=False)


def _after(reply: str, mark: str) -> int:
    at = reply.rfind(mark)
    return 0 if at < 0 else at + len(mark)
