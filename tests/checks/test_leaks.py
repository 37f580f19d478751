import re
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, strategies as st

from tests.support.common import generate, make_clip
from tests.support.injectable_model import write_obediently
from tests.support.injections import ATTACKS
from tests.support.simulated import PROMPTS, body_of, post, prompt, varied_clips
from vcgen.checks.leaks import RUN, find_leaks
from vcgen.data.cleaning import CANARY
from vcgen.data.clips import Clip
from vcgen.data.records import Reason, Record
from vcgen.engine.chat import Completion, Message
from vcgen.sim import SimTransport, Simulator
from vcgen.tasks.evidence import fence

SYSTEM = PROMPTS.render("base", {"evidence": "", "language": "English"})[0].content
REFINE = PROMPTS.render("refine", {"draft": ""})[0].content
TEXTS = [text for texts in ATTACKS.values() for text in texts]
TASKS = ["description", "conversation"]


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def problems(text: str, source: str = "") -> tuple[str, ...]:
    return tuple(each.message for each in find_leaks(text, [SYSTEM, REFINE], source))


def harms(record: Record) -> Iterator[str]:
    """What obeying can do to a record, looked for without the help of `vcgen.leaks`."""
    for turn in record.turns:
        text = turn.answer
        said = f" {' '.join(words(text))} "
        for system in (SYSTEM, REFINE):
            told = words(system)
            runs = [f" {' '.join(told[at : at + 8])} " for at in range(len(told) - 7)]
            if any(run in said for run in runs):
                yield "instructions"
        if CANARY in text or "===" in text:
            yield "mark"
        if re.search(r"[<>`\[\]{}]", text) or not text.isprintable() or not text.strip():
            yield "form"
        if re.search(r"User:|Assistant:|AAAA|99999", text):
            yield "form"
        if re.search(r"evil|example|https?:|www", text) and "address" not in record.flags:
            yield "address"


def attacked() -> dict[str, Clip]:
    """Clips with one attack each, half of them in the caption and half in what is said."""
    clips = {}
    for at, text in enumerate(TEXTS):
        spoken = {"start": 3, "end": 4, "text": text, "source": "speech"}
        where = {"caption": text} if at % 2 else {"segments": [spoken]}
        clips[f"attack-{at}"] = make_clip(f"attack-{at}", **where)
    return clips


def test_the_obedient_model_does_what_every_attack_says() -> None:
    assert len(TEXTS) == len(set(TEXTS)) >= 60
    for clip in attacked().values():
        asked = prompt("describe", clip, min_words=40, max_words=120)
        body = body_of(asked)
        plain, obeyed = post(body), post(body, Simulator(write=write_obediently))
        assert isinstance(plain, Completion)
        assert isinstance(obeyed, Completion)
        assert plain.text != obeyed.text, clip


def test_records_of_an_obedient_model_are_harmless() -> None:
    transport = SimTransport(Simulator(write=write_obediently))
    result = generate(list(attacked().values()), transport=transport, tasks=TASKS)
    assert len(result.records) + len(result.rejects) == 2 * len(TEXTS)
    harmed = {record.id: set(found) for record in result.records if (found := [*harms(record)])}
    assert not harmed
    reasons = Counter(reject.reason for reject in result.rejects)
    assert set(reasons) <= {
        Reason.LEAK,
        Reason.FAILED_CHECKS,
        Reason.INVALID_REPLY,
        Reason.REFUSAL,
        Reason.TRUNCATED,
    }
    # The checks of form find most of them first.
    assert reasons[Reason.LEAK] >= 5
    assert reasons[Reason.LEAK] + reasons[Reason.FAILED_CHECKS] >= 100


def test_attacks_reject_nothing_where_the_model_resists() -> None:
    result = generate(list(attacked().values()), model="sim", tasks=["description"])
    assert not [reject for reject in result.rejects if reject.reason is Reason.LEAK]


def test_clean_text_is_not_rejected() -> None:
    result = generate(varied_clips(250), model="sim", tasks=TASKS)
    assert len(result.records) + len(result.rejects) == 500
    assert len(result.rejects) <= 5


@pytest.mark.parametrize("text", [SYSTEM, REFINE, SYSTEM.upper(), SYSTEM.replace(" ", "\n")])
def test_instructions_told_on_are_found_in_whatever_form(text: str) -> None:
    bare = text.replace(CANARY, "").replace(CANARY.upper(), "")
    assert problems(f"A boat leaves. {bare}") == ("it repeats the instructions",)


def test_a_run_of_the_instructions_is_found_wherever_it_stands() -> None:
    told = " ".join(SYSTEM.split())
    for at in range(len(told) - RUN):
        run = told[at : at + RUN]
        for before in (0, 7, 29):
            assert "it repeats the instructions" in problems("x" * before + run), run


@pytest.mark.parametrize("hidden", ["\u0000", "\u001b", "\u007f", "\u202e", "\u2066", "\U000e0041"])
def test_hidden_characters_are_found(hidden: str) -> None:
    assert problems(f"A boat{hidden} leaves.") == ("it contains hidden characters",)
    assert problems("A boat.\n\n\u0642\u0648\u0631\u200f \u8239\u200b。\u2028") == ()


def test_marks_and_code_are_found() -> None:
    mark = "it contains a mark of the prompt"
    for text in (fence("draft", "x"), CANARY, CANARY.upper(), "\u200b".join(CANARY)):
        assert mark in problems(text)
    assert problems("See " + "Zm9v" * 16) == ("it contains a word of 64 characters or more",)
    assert problems("船が桟橋を離れて行く。" * 10) == ()


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/x?y=1",
        "www.evil.zzz",
        "evil.com",
        "Sub.Evil.IO/path",
        "ftp://host/a",
        "me@evil.example",
        "\uff45\uff56\uff49\uff4c\uff0e\uff43\uff4f\uff4d",
    ],
)
def test_an_address_is_a_problem_unless_the_evidence_names_it(address: str) -> None:
    text = f"He opens {address}, and reads."
    assert problems(text) == ("it names an address that the evidence does not",)
    for source in (f"Caption: {address}.", None):
        assert [each.code for each in find_leaks(text, [SYSTEM], source)] == ["address"]


@pytest.mark.parametrize(
    "text",
    [
        "A man carries two crates along the pier, then he unties the rope.",
        "At 3.5 seconds she adds 2.5 cups of flour, e.g. rye.",
        "He ends the sentence.Then he goes on the left, or in the background.",
        "The men are dressed in red-and-white-striped, hand-made, wide-brimmed straw hats.",
        "",
    ],
)
def test_prose_is_no_leak(text: str) -> None:
    assert find_leaks(text, [SYSTEM, REFINE], "") == []


def test_a_task_without_instructions_has_none_to_tell() -> None:
    assert find_leaks("Any eight words in a row that nobody forbade.", [], "") == []


@given(st.text(), st.text(), st.text())
def test_no_text_makes_the_search_raise(text: str, system: str, source: str) -> None:
    find_leaks(text, [system], source)


def test_canary_is_in_every_system_prompt_and_nowhere_else() -> None:
    for name in PROMPTS.names():
        told = {"problems": [], "kinds": [], "opening": True, "answers": "x", "count": 1}
        known = dict.fromkeys(
            ("evidence", "language", "min_words", "max_words", "kind", "meaning"), "x"
        )
        messages: tuple[Message, ...] = PROMPTS.render(
            name, known | told | {"narrative": "x", "draft": "x"}
        )
        assert CANARY in messages[0].content
        assert all(CANARY not in message.content for message in messages[1:])
