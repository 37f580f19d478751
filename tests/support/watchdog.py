"""Fails a test in which one turn of an event loop takes more than `LIMIT_S` of its thread's CPU.

CPU time of the loop's thread, not wall time, and without garbage collection: a busy machine and a
large test session change nothing. Imports are done before the first test.

    loop       measured                                       a turn is
    asyncio's  around `_run_once`, virtual clocks included    exact
    uvloop's   a thread asks it to reply, 20 times a second   all that ran until the reply: at most
                                                              the rest of a turn and the next one

A test that must burn says so: `@pytest.mark.holds_loop("reason")`.
"""

import asyncio
import gc
import importlib
import pkgutil
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread, get_ident
from typing import Any

import pytest
import uvloop

import vcgen

LIMIT_S = 0.25
ASK_EVERY_S = 0.05

_turns_s: list[float] = []  # that took longer than the limit, since the test began
_collecting_s: dict[int, float] = {}  # by thread
_collection_began_s: dict[int, float] = {}


def cpu_s() -> float:
    """CPU seconds of this thread, without those of garbage collection."""
    return time.thread_time() - _collecting_s.get(get_ident(), 0.0)


def _on_collection(phase: str, _: dict[str, int]) -> None:
    thread, now = get_ident(), time.thread_time()
    if phase == "start":
        _collection_began_s[thread] = now
    else:
        took_s = now - _collection_began_s.pop(thread, now)
        _collecting_s[thread] = _collecting_s.get(thread, 0.0) + took_s


def _end_turn(began_s: float) -> None:
    if (took_s := cpu_s() - began_s) > LIMIT_S:
        _turns_s.append(took_s)


def _measured(run_once: Callable[[Any], None]) -> Callable[[Any], None]:
    def measured(loop: asyncio.BaseEventLoop) -> None:
        began_s = cpu_s()
        run_once(loop)
        _end_turn(began_s)

    return measured


def _asked(run_forever: Callable[[Any], None]) -> Callable[[Any], None]:
    def asked(loop: asyncio.AbstractEventLoop) -> None:
        ended = Event()
        asking = Thread(target=_ask, args=(loop, get_ident(), ended), daemon=True)
        asking.start()
        try:
            run_forever(loop)
        finally:
            ended.set()
            asking.join()

    return asked


def _ask(loop: asyncio.AbstractEventLoop, thread: int, ended: Event) -> None:
    clock, replied = time.pthread_getcpuclockid(thread), Event()
    replied.set()

    def reply(asked_s: float) -> None:
        if not ended.is_set():
            _end_turn(asked_s)
        replied.set()

    while not ended.wait(ASK_EVERY_S):
        if replied.is_set():
            replied.clear()
            asked_s = time.clock_gettime(clock) - _collecting_s.get(thread, 0.0)
            loop.call_soon_threadsafe(reply, asked_s)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "holds_loop(reason): takes the CPU that the watchdog forbids"
    )
    gc.callbacks.append(_on_collection)
    asyncio.BaseEventLoop._run_once = _measured(asyncio.BaseEventLoop._run_once)  # type: ignore[attr-defined]
    uvloop.Loop.run_forever = _asked(uvloop.Loop.run_forever)  # type: ignore[assignment,method-assign]


@pytest.fixture(scope="session", autouse=True)
def _imported() -> None:
    """Import all modules, as no loop of a long run does."""
    for module in pkgutil.walk_packages(vcgen.__path__, "vcgen."):
        if module.name != "vcgen.__main__":
            importlib.import_module(module.name)


@pytest.fixture(autouse=True)
def _watchdog(request: pytest.FixtureRequest) -> Iterator[None]:
    _turns_s.clear()
    yield
    if _turns_s and request.node.get_closest_marker("holds_loop") is None:
        pytest.fail(
            f"a turn of the event loop took {max(_turns_s):.2f} s of CPU, more than {LIMIT_S} s: "
            "do the work in parts or in a thread, or mark the test with holds_loop and a reason"
        )
