"""No text makes a check slow: cost grows with the length of a text, not with its square.

Models do fall into loops of one character, and files come from strangers. A quadratic pattern takes
seconds on 20,000 characters of the wrong kind and holds the event loop meanwhile. Linear ones take
milliseconds, so that a limit between the two tells them apart on any machine.
"""

import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

import vcgen
from tests.support.common import make_clip
from vcgen.checks.checker import check
from vcgen.checks.leaks import find_leaks
from vcgen.data.records import Turn

LENGTH = 20_000
LIMIT_S = 0.25
# Repeated to that length: one character, two that alternate, beginnings that are never finished.
SEEDS = (
    *"#<>[](){}*_`~|=-:.!'\"\\/@1a \n\té漢",
    "a ", "1 ", "99 ", "1.", "1-", "1 to ", "a.", "a@", "a_", "a, ", "**", "__", "--", "\n ",
    "\n\n", "|-", "<a ", "</", "<|", "<!", "![", "](", "{{", "[1", "# ", "- ", "=== a ", "://",
    "www.", "what ", "what is a ", "after ", "not ", "not a ", "no a ", "i a ", "says i ",
    "the video ", "here is ", "the reason is ", "it is not ", "at 1s ", "1:11 ", "second 1 ",
)  # fmt: skip


def patterns_within(value: object, depth: int = 3) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth and isinstance(value, dict | tuple | list | set | frozenset):
        for part in value.values() if isinstance(value, dict) else value:
            yield from patterns_within(part, depth - 1)


def patterns() -> dict[str, re.Pattern[Any]]:
    """Every compiled pattern at the top of a module, by the name it is first found under."""
    found: dict[re.Pattern[Any], str] = {}
    for module in pkgutil.walk_packages(vcgen.__path__, "vcgen."):
        if module.name != "vcgen.__main__":
            for name, value in vars(importlib.import_module(module.name)).items():
                for at, pattern in enumerate(patterns_within(value)):
                    found.setdefault(pattern, f"{module.name}.{name}{f'[{at}]' if at else ''}")
    return {name: pattern for pattern, name in found.items()}


def is_slow(do: Callable[[], object]) -> bool:
    """Whether it takes longer than the limit: by far once, or three times in a row."""
    for _ in range(3):
        began = time.thread_time()
        do()
        took_s = time.thread_time() - began
        if took_s < LIMIT_S:
            return False
        if took_s > 4 * LIMIT_S:
            break
    return True


def texts(kind: type[str] | type[bytes]) -> Iterable[tuple[str, Any]]:
    for seed in SEEDS:
        text = (seed * LENGTH)[:LENGTH] + "\0"
        yield seed, text if kind is str else text.encode()


def use(pattern: re.Pattern[Any], text: Any) -> None:
    pattern.match(text)
    pattern.fullmatch(text)
    pattern.sub(text[:0], text)


def slow_seed(pattern: re.Pattern[Any]) -> str | None:
    for seed, text in texts(type(pattern.pattern)):
        if is_slow(lambda: use(pattern, text)):  # noqa: B023 - called here
            return seed
    return None


def test_no_pattern_is_slow_on_any_text() -> None:
    found = patterns()
    assert len(found) > 60
    seeds = {name: slow_seed(pattern) for name, pattern in found.items()}
    assert {name: seed for name, seed in seeds.items() if seed is not None} == {}


def test_a_quadratic_pattern_is_slow() -> None:
    """The measure itself: it must tell the two apart."""
    assert is_slow(lambda: use(re.compile(r"#{2,}\s*Human"), "#" * (LENGTH // 2)))
    assert not is_slow(lambda: use(re.compile(r"(?<!#)#{2,}+\s*+Human"), "#" * (LENGTH // 2)))


@pytest.mark.parametrize("side", ["question", "answer"])
def test_no_text_makes_the_checks_slow(side: str) -> None:
    clip, other = make_clip(), "A man carries two crates."
    slow = []
    for seed, text in texts(str):
        question, answer = (text, other) if side == "question" else (other, text)
        turns = [Turn("causal", question, answer), Turn("causal", question, answer)]
        if is_slow(lambda: check(turns, clip)):  # noqa: B023 - called here
            slow.append(seed)
        if is_slow(lambda: find_leaks(text, ["Rules."], "")):  # noqa: B023 - called here
            slow.append(f"leaks: {seed}")
    assert slow == []
