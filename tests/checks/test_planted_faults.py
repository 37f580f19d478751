"""The checks find the faults that benchmarks/quality plants; a repair removes most of them."""

from hashlib import blake2b

import orjson
import pytest

from benchmarks.quality import (
    MENDED,
    RATES,
    Planted,
    clips_of,
    made_up_clips,
    plant,
    saved,
    tally,
    write_sloppily,
)
from benchmarks.quality.wordings import ANSWERS, OTHER_KINDS, QUESTIONS
from tests.support.common import ROOT, make_clip
from tests.support.simulated import body_of, prompt
from vcgen.checks.checker import check
from vcgen.checks.codes import CODES
from vcgen.data.records import Kind, Turn
from vcgen.engine.chat import Completion, Message
from vcgen.engine.wire.completions import decode
from vcgen.sim import Simulator, write

GOOD = "First, a man carries two crates along a pier. Then, he unties the rope and leaves."
ASKED = "What does the man carry along the pier?"
# Only a model that was led to it shows these.
OF_LEAKS = {
    "prompt-mark",
    "instructions",
    "encoded",
    "hidden-characters",
    "unknown-address",
    "address",
}
# Only `vcgen check` finds these: it compares records.
OF_RECORDS = {"duplicate-record", "duplicate-answer", "near-duplicate-answer"}
PROMPT = prompt("describe", make_clip(), min_words=40, max_words=120)
CLIPS = [*clips_of(ROOT / "examples/clips.jsonl"), *made_up_clips(60)]


def planted(messages: tuple[Message, ...], seed: str) -> Planted:
    plain = write(orjson.loads(body_of(messages)), seed)
    return plant(plain, [(each.role, each.content) for each in messages], seed)


def found(turn: Turn) -> set[str]:
    first = Turn("causal", "Why does the man untie the rope?", "He unties it to leave.")
    return {problem.code for problem in check([first, turn], make_clip()) if problem.turn == 2}


def test_every_code_that_a_reply_can_show_is_planted() -> None:
    assert CODES.keys() - RATES.keys() == {"no-turns", "lone-surrogate", *OF_LEAKS, *OF_RECORDS}
    assert RATES.keys() <= CODES.keys()


@pytest.mark.parametrize("code", ANSWERS)
def test_every_wording_of_an_answer_is_found(code: str) -> None:
    kind: Kind = "causal" if code == "too-short" else "descriptive"
    quoted = orjson.dumps(GOOD).decode()[1:-1]
    turns = [Turn(kind, ASKED, wording.replace("@", quoted)) for wording in ANSWERS[code]]
    assert len(turns) >= 5
    assert [turn.answer for turn in turns if code not in found(turn)] == []


@pytest.mark.parametrize("code", QUESTIONS)
def test_every_wording_of_a_question_is_found(code: str) -> None:
    turns = [Turn("descriptive", wording.replace("@", ASKED), GOOD) for wording in QUESTIONS[code]]
    assert len(turns) >= 5
    assert [turn.question for turn in turns if code not in found(turn)] == []


@pytest.mark.parametrize("kind", ["descriptive", "temporal", "causal"])
def test_every_question_of_another_kind_is_found(kind: Kind) -> None:
    turns = [Turn(kind, question, GOOD) for question in OTHER_KINDS[kind]]
    assert [turn.question for turn in turns if "wrong-kind" not in found(turn)] == []


def test_what_is_planted_is_found_and_what_is_clean_is_kept() -> None:
    told = tally(CLIPS, count=2500)
    assert told.planted.keys() == RATES.keys()
    assert {code for code in told.planted if told.found[code] < 0.98 * told.planted[code]} == set()
    assert told.rejected <= 0.01 * told.clean


def test_the_fault_of_a_reply_can_be_told_from_its_request() -> None:
    body = body_of(PROMPT)
    for seed in range(40):
        answer = Simulator(seed=seed, write=write_sloppily).answer({}, body, 0.0)
        reply = decode(answer.status, answer.headers, answer.body)
        assert isinstance(reply, Completion)
        name = blake2b(body, digest_size=12, key=str(seed).encode()).hexdigest()
        assert reply.text == planted(PROMPT, name).text


def test_faults_come_at_their_rate_and_mostly_go_when_told_of() -> None:
    repair = Message("user", "That reply cannot be used:\n- it is wrong\n\nWrite it again.")
    again = (*PROMPT, Message("assistant", "Sure!"), repair)
    first = sum(planted(PROMPT, str(seed)).code is not None for seed in range(2000))
    second = sum(planted(again, str(seed)).code is not None for seed in range(2000))
    assert 0.6 * sum(RATES.values()) < first / 2000 <= 1.1 * sum(RATES.values())
    assert 0.5 * (1 - MENDED) < second / 2000 < 1.1 * (1 - MENDED)


def test_no_fault_is_planted_in_another_language() -> None:
    chinese = prompt("describe", make_clip(), "Chinese", min_words=40, max_words=120)
    assert {planted(chinese, str(seed)).code for seed in range(300)} == {None}


def test_to_ask_again_saves_samples() -> None:
    kept = [saved(CLIPS[:40], repairs)[1] for repairs in (0, 1, 2)]
    assert kept[0] < kept[1] <= kept[2]


def test_an_answer_that_begins_as_json_is_not_taken_for_turns() -> None:
    said = [("user", "Tell what happens.")]
    assert all(plant("{'a': a boat", said, str(at)).text for at in range(200))
