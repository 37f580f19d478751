"""No text makes a check slow: cost grows with the length of a text, not with its square.

Models do fall into loops of one character, and files come from strangers. A quadratic pattern takes
seconds on 20,000 characters of the wrong kind and holds the event loop meanwhile. Linear ones take
milliseconds, so that a limit between the two tells them apart on any machine.
"""

import ast
import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import vcgen
from tests.support.common import make_clip
from vcgen.checks.checker import check
from vcgen.checks.leaks import find_leaks
from vcgen.data.records import Turn

LENGTH = 20_000
LIMIT_S = 0.25
REPLY_LENGTH = 262_144  # of the longest reply that is read
REPLY_LIMIT_S = 1.0  # four times the time of the slowest linear pattern on that length
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


def is_slow(do: Callable[[], object], limit_s: float = LIMIT_S) -> bool:
    """Whether it takes longer than the limit: by far once, or three times in a row."""
    for _ in range(3):
        began = time.thread_time()
        do()
        took_s = time.thread_time() - began
        if took_s < limit_s:
            return False
        if took_s > 4 * limit_s:
            break
    return True


@cache
def texts(*, as_bytes: bool, length: int = LENGTH) -> dict[str, Any]:
    """Text by seed."""
    found = {seed: (seed * length)[:length] + "\0" for seed in SEEDS}
    return {seed: text.encode() for seed, text in found.items()} if as_bytes else found


def use(pattern: re.Pattern[Any], text: Any) -> None:
    pattern.match(text)
    pattern.fullmatch(text)
    pattern.sub(text[:0], text)


def slow_seed(pattern: re.Pattern[Any]) -> str | None:
    """A seed of texts on which the pattern is slow; the slowest is tried as long as a reply."""
    as_bytes, took_s = isinstance(pattern.pattern, bytes), dict[str, float]()
    for seed, text in texts(as_bytes=as_bytes).items():
        began = time.thread_time()
        use(pattern, text)
        took_s[seed] = time.thread_time() - began
        if took_s[seed] > LIMIT_S and is_slow(lambda: use(pattern, text)):  # noqa: B023 - called here
            return seed
    slowest = max(took_s, key=lambda seed: took_s[seed])
    long = texts(as_bytes=as_bytes, length=REPLY_LENGTH)[slowest]
    return slowest if is_slow(lambda: use(pattern, long), REPLY_LIMIT_S) else None


def calls_of_re(tree: ast.Module) -> Iterator[tuple[str, bool]]:
    """Each function of `re` that a module calls, and whether it does so while it is loaded."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]
    late = {id(inner) for function in functions for inner in ast.walk(function)}
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr=name)):
                yield name, id(node) not in late
            case ast.ImportFrom(module="re"):
                yield "import from", True


# Modules with a function that compiles: called while they are loaded, or with a file's name.
COMPILE_LATE = {"checks/voice.py", "pipeline/store/layout.py"}


def test_every_pattern_is_at_the_top_of_a_module() -> None:
    """Where `patterns` finds it; none is hidden in a function."""
    source = Path(vcgen.__file__).parent
    calls = {
        (str(path.relative_to(source)), *call)
        for path in source.rglob("*.py")
        for call in calls_of_re(ast.parse(path.read_text("utf-8")))
    }
    hidden = {
        (path, name)
        for path, name, is_loaded in calls
        if name != "escape" and not (name == "compile" and (is_loaded or path in COMPILE_LATE))
    }
    assert hidden == set()


def test_no_pattern_is_slow_on_any_text() -> None:
    found = patterns()
    assert len(found) > 100
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
    for seed, text in texts(as_bytes=False).items():
        question, answer = (text, other) if side == "question" else (other, text)
        turns = [Turn("causal", question, answer), Turn("causal", question, answer)]
        if is_slow(lambda: check(turns, clip)):  # noqa: B023 - called here
            slow.append(seed)
        if is_slow(lambda: find_leaks(text, ["Rules."], "")):  # noqa: B023 - called here
            slow.append(f"leaks: {seed}")
    assert slow == []
