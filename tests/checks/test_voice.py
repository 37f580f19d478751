"""Voice: wordings by families, beside prose that resembles them."""

import pytest

from tests.support.check_examples import FOUND, NEAR, VOICE, answer_codes, missed, mistaken
from tests.support.common import make_clip
from vcgen.checks.checker import Checker
from vcgen.checks.codes import Side
from vcgen.checks.tokenize import tokenize
from vcgen.checks.voice import find_wrong_voice

WORDINGS = {
    "evidence-mention": [
        "He pours batter into the pan (see caption 4).",
        "The input says that a bus turns at the corner.",
        "Several captions describe the same woman stirring soup.",
        "The caption at 0:12 adds that he squeezes a lemon over it.",
        "The passage you gave me is about a woman who sharpens a knife.",
        "The reference text does say that the race starts at the bridge.",
        "The regions marked in the image contain a stove and a kettle.",
        "The ASR mentions garlic, so the sauce has garlic in it.",
        "The detection results include two cars.",
        "In line with the description provided, the crowd cheers.",
    ],
    "assistant-talk": [
        "To answer your question, the woman opens the oven.",
        "You're right, the ball goes out.",
        "Here are the steps: wash the rice, boil the water, add the rice.",
        "The dog catches the frisbee. Hope that answers your question!",
        "In response to your query, the boxer in red wins.",
        "The answer is as follows: he stops at the light.",
        "The team celebrates. Don't hesitate to reach out if you want to know more.",
        "He pulls noodles. Is there something specific you want me to focus on?",
        "With pleasure: the man grills corn.",
        "Good catch, she does use two bowls.",
    ],
    "refusal": [
        "I do not have enough context to say why she adds the vinegar.",
        "Please provide the video so that the match can be described.",
        "As a large language model, I can only work with text.",
        "We cannot answer this question without more details.",
        "I do not possess the capability to see the street.",
        "Without access to the footage, nobody could describe the kitchen.",
        "I would need to see the video to tell which hand she uses.",
        "I have not been given the video.",
        "My capabilities do not extend to watching videos.",
        "No video was provided.",
    ],
    "hedge": [
        "We do not know what the referee tells the player.",
        "It could be a birthday party, but the clip does not confirm this.",
        "There isn't any information on how long the bread is baked.",
        "The video makes no reference to the weather.",
        "There is insufficient detail to tell which spice is used.",
        "The clip says nothing about the price of the fruit.",
        "It remains to be seen whether the cake will rise.",
        "No specific recipe is mentioned.",
        "It does not say how many eggs she uses.",
        "One can only speculate about his plan.",
    ],
    "aside": [
        "It seems to me that the driver did not see the light.",
        "Editor's note: the clip has no sound. Two men load boxes.",
        "It strikes me that nobody waits for the green light.",
        "To me, the man looks tired after the climb.",
        "My impression is that the two drivers are friends.",
        "We can infer that the soup is good.",
        "Disclaimer: parts of this may be wrong. A girl flies a kite.",
        "From what I can tell, the boy is learning to ride.",
        "What I observe is a man who folds paper boats.",
        "Truth be told, the jump is short.",
    ],
}  # fmt: skip


PROSE = [
    "They do not hesitate and jump into the lake.",
    "She writes the answer to the question on the board.",
    "The pupils line up as instructed, and the teacher counts them.",
    "He shows the improved version of the robot to the jury.",
    "It is impossible to make the turn, so the van slides into the hay.",
    "It is hard to say goodbye, and the two hug for a long time.",
    "The fog is so thick that it is hard to see.",
    "The gate is open when the cat comes in, and it remains open.",
    "The younger one does not know the way and follows the elder.",
    "The price is not given on the stall, so the woman asks.",
    "They clip tags onto the ears of the cows and label 3 boxes.",
    "The pupils are given notes and boxes of chalk.",
    "A series of images hangs on the wall of the gallery.",
    "The goalkeeper is uncertain and steps back.",
    "There is no way to cross the river, so they build a raft.",
    "There is not enough flour, so she opens a second bag.",
    "As a child model walks down the runway, cameras flash.",
    "The horse refuses the jump, and the rider is unable to hold on.",
    "World War I planes are lined up in the museum.",
    "The host greets the viewers and mentions that the oil must be hot.",
    "They are not sure which road to take and unfold a map.",
    "We can see the sea behind the houses.",
]


QUESTIONS = [
    "Can you provide more details about the setting?",
    "Could you please describe what the man does?",
    "Please provide a detailed description of the video.",
    "Please tell me what happens at the end.",
    "What happens before we see the red car?",
    "What can I see in the background?",
    "Is there any indication of the time of day?",
    "What does the caption at the end read?",
]


def found(text: str, side: Side = "answer") -> set[str]:
    return {problem.code for problem in find_wrong_voice(side, tokenize(text))}


@pytest.mark.parametrize("code", VOICE)
def test_fault_is_found(code: str) -> None:
    assert missed(code) == []


@pytest.mark.parametrize("code", VOICE)
def test_near_miss_passes(code: str) -> None:
    assert mistaken(code) == []


@pytest.mark.parametrize("code", WORDINGS)
def test_wording_is_found_by_its_family(code: str) -> None:
    assert [text for text in WORDINGS[code] if code not in found(text)] == []


def test_prose_that_resembles_a_remark_passes() -> None:
    assert {text: found(text) for text in PROSE if found(text)} == {}


def test_requests_of_people_pass() -> None:
    assert {text: found(text, "question") for text in QUESTIONS if found(text, "question")} == {}


def test_near_misses_have_no_other_fault() -> None:
    texts = [text for code in ("evidence-mention", "hedge", "time-past-end") for text in NEAR[code]]
    assert {text: answer_codes(text) for text in texts if answer_codes(text)} == {}


def test_question_is_checked_too() -> None:
    for text in FOUND["evidence-mention"]:
        assert "evidence-mention" in {each.code for each in Checker(make_clip()).question(text)}


def test_speech_of_the_scene_passes_and_hides_nothing() -> None:
    said = 'A man says "Sure, I think I can\'t let you see the first frame" and waves.'
    assert answer_codes(said) == set()
    assert answer_codes(f"Sure! {said}") == {"assistant-talk"}
    assert answer_codes(f"{said} I think he leaves.") == {"aside"}
    assert answer_codes(f"Sure! {said} Let me know if you need more.") == {"assistant-talk"}
