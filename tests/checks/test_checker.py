"""Each code of one text: where it must be found, and near misses in which it must not."""

import pytest
from hypothesis import given, strategies as st

from tests.support.common import make_clip
from vcgen.checks.checker import CODES, Checker, Problem, check
from vcgen.data.records import KINDS, Turn

# "A man carries two crates.", in escapes, as some of its letters look like Latin ones.
RUSSIAN = (
    "\u041c\u0443\u0436\u0447\u0438\u043d\u0430 \u043d\u0435\u0441\u0451\u0442 "
    "\u0434\u0432\u0430 \u044f\u0449\u0438\u043a\u0430."
)
LOOP = "The man pulls the rope and looks at the sea, "

FOUND = {
    "empty": ["", " \n", "\t", "\u3000"],
    "lone-surrogate": ["A \ud83d boat.", "\udc00", "He waves.\ud800", "The \udfff end of it."],
    "media-tag": [
        "<video>\nA boat leaves.",
        "A boat < IMAGE > leaves.",
        "A boat </video> leaves.",
        'A boat <img src="a.png"> leaves.',
        "A boat <audio/> leaves.",
    ],
    "chat-template": [
        "A boat leaves.<|im_end|>.",
        "A boat leaves. [/INST] It is red.",
        "<<SYS>> A boat leaves.",
        "A boat leaves.</s>.",
        "A boat leaves. ### Human: What else?",
        "A boat leaves.\nAssistant: It is red.",
        "<think>Let us see.</think> A boat leaves.",
        "A boat leaves.<end_of_turn>.",
        "A boat leaves.\n**Questioner:** And then?",
        "<<SYS>> A boat leaves.",
    ],
    "prompt-fragment": [
        "Answer: A boat leaves the pier.",
        "The man {{ name }} leaves the pier.",
        "**Question 2:** What does he do?",
        "A boat leaves QA_GT_caption_based_noisy the pier.",
        "The [insert colour] boat leaves the pier.",
        "Q: what happens? He leaves.",
        "Narrative: a boat leaves the pier.",
    ],
    "fence-leak": [
        "=== end of evidence 0123456789abcdef ===.",
        "A boat leaves.\n=== evidence 0123456789abcdef ===\nIt is red.",
        "=== draft 00112233445566778899aabbccddeeff ===.",
        "A boat. === narrative 0123456789abcdef ===.",
    ],
    "markup": [
        "A <b>boat</b> leaves.",
        "A boat leaves.<script src=x>",
        "<!-- A boat. --> leaves.",
        "![A boat](x) leaves.",
        "[A boat](x) leaves.",
        "A boat leaves.<br/>",
    ],
    "code-fence": [
        "```json\nA boat leaves.",
        "```\nA boat leaves.\n```.",
        "A boat leaves. ```It is red.```",
        "A boat ``` leaves.",
    ],
    "markdown": [
        "A **red boat** leaves the pier.",
        "**Scene:** a boat leaves the pier.",
        "The boat leaves *slowly* and the dog swims.",
        "The __red__ boat leaves.",
        "***The boat leaves.***",
        "# The harbour\nA boat leaves.",
        "A boat leaves.\n\n## Then\n\nA dog swims.",
        "The steps:\n1. He unties the rope.",
        "- He unties the rope.\n- He leaves.",
        "He does two things.\n\n* He unties the rope.\n\n* He leaves.",
        "1. He unties the rope.\n2. He leaves.",
        "1) He unties the rope.\n2) He leaves.",
        "Here:\n  + a rope.",
        "\u2022 He unties the rope.\n\u2022 He leaves.",
        "| Time | Event |\n|:---|---:|\n| 0 | A boat leaves. |",
        "| 0 | A boat leaves. |\n| 4 | A dog swims. |",
        "He presses `Start` and leaves.",
        "> A boat leaves.",
        "A boat leaves.\n---\nA dog swims.",
        "The boat ~~stays~~ leaves.",
    ],
    "json-left": [
        '{"answer": "A boat leaves."}.',
        '["A boat leaves."]',
        'A boat leaves. "kind": "causal".',
        'A boat leaves the pier."}]',
        '[{"question": "What happens?"',
    ],
    "too-short": ["Yes.", "It moves.", "A boat leaves.", "一艘船。"],
    "too-long": [
        f"The boat, number {', '.join(map(str, range(500)))}, leaves. ",
        " ".join(f"Boat {at} leaves pier {at + 1} now." for at in range(70)),
        "船" * 900 + "。",
        " ".join(f"word{at}" for at in range(401)) + ".",
    ],
    "no-sentence-end": [
        "A man carries two crates along the pier and then he unties the",
        "A man carries two crates,",
        "He unties the rope and",
        "He pushes the boat away:",
        "一个男人抱着两个箱子走过码头\uff0c然后",
    ],
    "repetition": [
        "A man carries two crates along the pier. A man carries two crates along the pier.",
        LOOP * 3 + "and that is all.",
        "He rows. Then he rows the boat away. The sea is calm. Then he rows the boat away.",
        "The boat goes on and on and on and on and on and on and on and on and on and on.",
        "He ties the rope he ties the rope he ties the rope he ties the rope to the pier.",
    ],
    "evidence-mention": [
        "The caption says that a man gets his boat ready.",
        "According to the description, the man leaves the pier.",
        "Based on the provided text, he unties the rope.",
        "As mentioned in the captions, he carries two crates.",
        "The frames show a man on a pier.",
        "In the first frame, a man stands on the pier.",
        "Across the frames, the boat moves away.",
        "The bounding box of the man moves to the left.",
        "The tags indicate a boat and a pier.",
        "The transcript mentions that the sea is calm.",
        "The description does not say why he leaves.",
        "Judging by the tags, this is a harbour.",
        "The given information suggests that he is a fisherman.",
        "The evidence suggests that he sails away.",
        "At frame 12 he unties the rope.",
        "The video description mentions a pier.",
    ],
    "assistant-talk": [
        "Sure! A man carries two crates along a pier.",
        "Certainly, here is what happens: a man leaves.",
        "Here is the description of the video: a man leaves.",
        "A man leaves the pier. I hope this helps!",
        "A man leaves. Let me know if you need more.",
        "As an AI, I watch a man leave the pier.",
        "Great question! He unties the rope to leave.",
        "Here's a cleaned-up version of the text. A man leaves.",
        "A man leaves. Feel free to ask about the rest.",
    ],
    "refusal": [
        "I'm sorry, but I can't tell what happens.",
        "I am unable to view videos.",
        "I cannot help with that request.",
        "Sorry, this is not something to be told.",
        "I\u2019m sorry, I can\u2019t do that.",
        "I don't have access to the video.",
        "Unfortunately, I can't answer this.",
        "抱歉\uff0c我不能回答这个问题。",
    ],
    "hedge": [
        "It is not mentioned where the man goes.",
        "His name is not specified in the video.",
        "It is unclear why he leaves the pier.",
        "The reason for his departure cannot be determined.",
        "The video does not show where he goes.",
        "There is no information about the crates.",
        "The exact time is not stated.",
        "It's hard to tell what the crates hold.",
        "Where he goes isn't explicitly described.",
        "The purpose of the crates remains unclear.",
        "The video doesn't specify his age.",
        "视频中没有提到他去哪里。",
    ],
    "aside": [
        "I think he leaves to catch fish.",
        "In my opinion, the man is a fisherman.",
        "He leaves. (Note: the crates may hold fish.)",
        "I believe that the crates hold fish.",
        "Let me describe the scene. A man leaves.",
        "He leaves the pier. Note that the sea is calm.",
        "If I had to guess, the crates hold fish.",
        "The crates, as far as I can tell, hold fish.",
    ],
    "wrong-language": [
        "Un hombre lleva dos cajas por el muelle y después desata la cuerda del barco.",
        "Ein Mann trägt zwei Kisten und löst dann das Seil, mit dem das Boot an dem Steg hängt.",
        "一个男人抱着两个箱子走过码头。",
        RUSSIAN,
        "Un homme porte deux caisses sur le quai et il détache la corde du bateau.",
        "A man says: 你嫌贵我还嫌贵呢给我挑一个行这个怎么样.",
    ],
    "time-past-end": [
        "At 47 seconds he waves.",
        "At the 13-second mark he waves.",
        "He waves at second 20.",
        "It ends after 12.6 sec.",
        "He waves at 47s.",
        "From 3 to 47 seconds he rows.",
        "He waves at 0:47.",
        "Between 0:05 and 01:20 he rows.",
        "The boat leaves (0:14).",
        "At about 2 minutes he waves.",
        "At the 3-minute mark he waves.",
        "He rows from 5s to 25s.",
        "He rows in the part of 10-20 seconds.",
    ],
}

NEAR = {
    "empty": [".", "?", "0", "No.", "好。", "a"],
    "lone-surrogate": ["A boat \U0001f6a2.", "\u20ac", "漢", "\ufffd", "e\u0301", "A."],
    "media-tag": [
        "The sign shows a < b and c > d.",
        "He watches a video, then an image.",
        "The man records audio of the sea.",
        "An arrow -> points to the boat.",
        "He draws a heart <3 in the sand.",
        "A video camera stands on the pier.",
        "The video [sic] is old.",
    ],
    "markup": [
        "The sign shows a < b and c > d.",
        "He thinks a < b, lists [rope, crate] and says {well}.",
        "An arrow -> points to the boat.",
        "I <3 it, she writes.",
        "He reads the list [see above] (twice).",
        "A boat <- the arrow.",
    ],
    "markdown": [
        "He is #1 on the pier, in boat # 3, and says C# is a note.",
        "# 1 of the boats leaves.",
        "# of boats that leave: two.",
        "2. floor, where the boats are.",
        "He reads:\n5 boats leave.",
        "5 * 3 boats are 15, and 2*3*4 are 24; a * b * c is more.",
        "The hotel has 4* or 5*, and its pier** too**.",
        "What the **** does he mean by s**t and f**k?",
        "The boat - a red one - leaves the pier.",
        "- the boat leaves - the dog swims -.",
        "- Hello, he says.\nThe dog barks.",
        "The file snake_case_of_a_boat and his __ name are written on it.",
        "Rock `n` roll, it`s the captain`s boat.",
        "He pulls | the rope | in.",
        "|x| is less than |y| on the board.",
        "The boat ~5 m long leaves at ~3.",
        "The score is 3 > 2, and > 1.",
        "He counts 1. and then\n3. and so on.",
        "First line.\nSecond line, 2 - 1 = 1.\nThird * line.",
        "* The price is for two.",
        "He says -- and waves -- that a boat leaves.",
        "Wait...\n... the boat leaves.",
    ],
    "chat-template": [
        "A man and his assistant: both carry crates.",
        "A human stands on the pier; the user of the rope is old.",
        "The sign # 3 hangs on the pier.",
        "He thinks a < b and then leaves.",
        "He pulls | the rope.",
        "The system: a rope and a pulley.",
    ],
    "prompt-fragment": [
        "The answer is simple: he unties the rope.",
        "He lists [rope, crate] and says {well}.",
        "A man asks a question: where is the boat?",
        "The file is named boat_1 on the screen.",
        "There are three things on the pier: a rope, a crate and a boat.",
        "The caption of the poster is 'Sea'.",
    ],
    "fence-leak": [
        "A line of === signs is drawn in the sand.",
        "The score is 3 == 3.",
        "He writes 0123456789abcdef on the crate.",
        "== evidence ==",
        "The end of evidence is near.",
        "A fence === stands there.",
    ],
    "code-fence": [
        "He `waves`.",
        "It's ''quoted''.",
        "A '`' is seen.",
        "``two``",
        "a`b`c",
        "He. `",
    ],
    "json-left": [
        "He lists [rope, crate] and says {well}.",
        "The sign reads [12] and {a}.",
        'The man says: "Leave!"',
        "[A man] leaves the pier.",
        "He counts: 1, 2, 3.",
        'He says "yes", "no" and leaves.',
    ],
    "too-short": [
        "A man carries two crates along a pier, unties the rope and leaves.",
        "A potter presses a ball of clay onto a wheel and turns it.",
        "First, a dog runs. Then it jumps over a fence and barks.",
        "一个男人抱着两个箱子走过码头然后离开。",
        "Two women and a child walk along the beach at sunset.",
        "The cook chops, fries, stirs, salts, plates and serves the fish.",
    ],
    "too-long": [
        " ".join(f"Boat {at} leaves pier {at + 1} now." for at in range(60)),
        "船" * 500 + "。",
        " ".join(f"word{at}" for at in range(150)) + ".",
        "A boat leaves.",
        "a " * 399 + ".",
        "The boat goes and goes.",
    ],
    "no-sentence-end": [
        "He says: 'Leave!'",
        'The sign reads "Open."',
        "He leaves (and waves.)",
        "Does he leave?",
        "He leaves...",
        "他离开了码头。",
        "他说\uff1a\u300c走吧\uff01\u300d",
        "He leaves. \n",
    ],
    "repetition": [
        "He waves. The boat leaves. He waves. The sea is calm.",
        "He adds the salt to the bowl, then the oil to the bowl, then the flour to the bowl.",
        "First the woman is seen dancing. Then the woman is seen talking. She is seen off.",
        "She knocks again and again, and the door opens.",
        "He counts: one, two, three, one, two, three.",
        "The red team scores, then the blue team scores, and the red team wins the game.",
    ],
    "evidence-mention": [
        "He wears a cap with the caption 'STAFF' on it.",
        "A picture frame hangs on the wall.",
        "She looks at the price tags of the shirts.",
        "A bounding dog crosses the field.",
        "He reads the description on the box aloud.",
        "Captions appear at the bottom of the screen.",
        "The dog enters the frame from the left.",
        "She frames the photo and hangs it up.",
        "The text on the sign reads 'Sale'.",
        "A woman with a name tag gives him a form with information.",
        "The bicycle frame is blue.",
        "He bowls a strike in the last frame of the game.",
        "The officer puts the evidence in a bag.",
        "The caption reads 'The End'.",
        "Food is provided to the children.",
        "The tags on the boxes list what is inside.",
        "Photos in the last frame on the wall show a dog.",
        "She sings along with the captions on the screen.",
        'A man says "according to the description it is red".',
    ],
    "assistant-talk": [
        "Of course it rains, and people run.",
        "A sure hand cuts the clay.",
        "Here is where the man turns around.",
        "The assistant hands the cook a knife.",
        "A river flows below the bridge.",
        "The man asks a question and waits.",
        "They feel free and dance on the beach.",
        'The teacher says "Great question!" and smiles.',
        "Absolutely nothing moves on the lake.",
        "He hopes this rope holds.",
        "Thank you notes hang on the wall.",
        "They hope it is ready and just ask the waiter.",
        "Two women are happy to help the farmer, who thanks them for it.",
        "Noted chefs taste the soup.",
    ],
    "refusal": [
        "A man says sorry to the woman he bumped into.",
        "The boy apologises and picks up the cup.",
        "He cannot open the jar, so he asks for help.",
        "She says \"I'm sorry, I can't come\" into the phone.",
        "The dog is unable to climb the stairs.",
        "She says I am sorry and leaves.",
        "The girl refuses to eat the soup.",
        "The sorry state of the boat is plain.",
        "Sadly, it rains, and the game ends.",
        "The beam is beyond what the crane can lift.",
        "It is not possible for the truck to turn, so the driver backs up.",
    ],
    "hedge": [
        "The dog is not given a treat.",
        "It is hard to walk on the ice, so she holds the rail.",
        "He does not open the door.",
        "There is no water in the bowl.",
        "The man wears no shirt and is not in a hurry.",
        "A sign reads 'Not specified'.",
        "It is not the man but the woman who drives.",
        "The water is not clear.",
        "She adds little details to the drawing.",
        "He cannot be seen behind the wall.",
        "No one can tell the twins apart.",
        "The first one cannot open the jar, so the next one tries.",
        "The door is left open, and nothing moves.",
        "When the water is not clear, he changes it.",
        "A mystery novel lies on the table; anyone can read it.",
    ],
    "aside": [
        'He says "I think it is ready" and tastes it.',
        "The woman thinks for a moment and writes a note.",
        "A man says I believe in you to the child.",
        "The sign reads 'Let me in'.",
        "He takes notes in a notebook.",
        "We see a man on a pier.",
        "She plays the same note again: a high C.",
        "A picture of Wilhelm I was hung on the wall.",
        "The well is deep, and the fair is honest work.",
        "He feeds the birds as well, and then he waves.",
        "They let the dog see the ball.",
    ],
    "wrong-language": [
        "A man carries two crates along a pier.",
        "The sign over the café says 中国, and people walk by on both sides of the street.",
        "She adds jalapeño, crème fraîche and a pinch of salt.",
        "He orders un café con leche and sits down at the table.",
        "Someone adds chopped parsley, lemon juice, sumac, garlic, salt, oil.",
        "Two men sit down. They speak in Chinese.",
        "On the left.",
    ],
    "time-past-end": [
        "At 12.4 seconds he waves.",
        "The clip is 12 seconds long.",
        "A man in his 30s with a jacket of the 1980s.",
        "He scores 47 points with 20 spectators; the second 2 boats follow.",
        "A clock on the wall shows 12:30.",
        "The team wins by a score of 3:2.",
        "It is 12:30 pm on the clock at the pier.",
        "At 7:45 in the morning the alarm rings.",
        "The train departs at 12:30.",
        "He bakes the bread for 30 minutes.",
        "A 20-minute walk leads to the beach.",
        "At 0:06 he unties the rope.",
        "She finishes second 3 times.",
    ],
}


def codes(answer: str, kind: str = "descriptive") -> set[str]:
    return {problem.code for problem in Checker(make_clip()).answer(answer, kind)}  # type: ignore[arg-type]


def pairs(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(code, text) for code, texts in table.items() for text in texts]


def kind_for(code: str) -> str:
    return "description" if code in {"too-short", "too-long"} else "descriptive"


@pytest.mark.parametrize("code", FOUND)
def test_a_fault_is_found(code: str) -> None:
    assert [text for text in FOUND[code] if code not in codes(text, kind_for(code))] == []


@pytest.mark.parametrize("code", NEAR)
def test_a_near_miss_is_none(code: str) -> None:
    assert [text for text in NEAR[code] if code in codes(text, kind_for(code))] == []


def test_near_misses_are_no_other_fault_of_voice_or_time_either() -> None:
    texts = [text for code in ("evidence-mention", "hedge", "time-past-end") for text in NEAR[code]]
    assert {text: codes(text) for text in texts if codes(text)} == {}


def test_every_code_of_one_text_has_four_examples_and_six_near_misses() -> None:
    assert FOUND.keys() == NEAR.keys()
    assert FOUND.keys() <= CODES.keys()
    assert min(map(len, FOUND.values())) >= 4
    assert min(map(len, NEAR.values())) >= 6


def test_a_question_is_checked_as_an_answer_is() -> None:
    for code in ("media-tag", "evidence-mention", "wrong-language", "time-past-end"):
        for text in FOUND[code]:
            assert code in {each.code for each in Checker(make_clip()).question(text)}


def test_what_is_said_in_the_scene_hides_no_talk_of_the_model_and_is_none() -> None:
    said = 'A man says "Sure, I think I can\'t let you see the first frame" and waves.'
    assert codes(said) == set()
    assert codes(f"Sure! {said}") == {"assistant-talk"}
    assert codes(f"{said} I think he leaves.") == {"aside"}
    assert codes(f"Sure! {said} Let me know if you need more.") == {"assistant-talk"}


def test_prose_has_no_problems() -> None:
    turn = Turn("causal", "Why does the man untie the rope?", "He unties it to push the boat away.")
    assert check([turn], make_clip()) == []


def test_problems_name_their_turn_and_carry_the_severity_of_the_table() -> None:
    turns = [
        Turn("causal", "Why does the man leave?", "He leaves with two crates to fish."),
        Turn("causal", "", "A <video> of a boat that leaves."),
    ]
    found = check(turns, make_clip())
    assert [(each.code, each.turn) for each in found] == [("empty", 2), ("media-tag", 2)]
    assert [str(each) for each in found] == [
        "turn 2: the question is empty",
        "turn 2: the answer contains the markup <video>",
    ]
    assert all(each.severity == CODES[each.code].severity for each in found)
    assert check([], make_clip()) == [Problem("no-turns", "reject", "there are no turns")]
    assert Checker(None, severities={"no-turns": "off"}).turns([]) == []


def test_without_a_duration_no_time_is_past_the_end() -> None:
    unknown = Checker(make_clip(duration=None))
    assert not [text for text in FOUND["time-past-end"] if unknown.answer(text, "temporal")]


def test_a_length_rounded_up_to_whole_seconds_is_no_time_past_the_end() -> None:
    checker = Checker(make_clip(duration=219.48))  # which prompts show as 219.5
    assert checker.answer("It lasts about 220 seconds.", "temporal") == []
    assert checker.answer("It ends at 221 seconds.", "temporal") != []


def test_a_time_that_the_evidence_names_is_no_time_in_the_video() -> None:
    clip = make_clip(caption="Boil the eggs for 90 seconds.")
    assert Checker(clip).answer("He boils the eggs for 90 seconds.", "causal") == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("Chinese", "一个男人抱着两个箱子走过码头。"),
        ("zh-CN", "他穿着一件 T 恤。"),
        ("Japanese", "男性が箱を運んでいます。"),
        ("Russian", RUSSIAN),
        ("Spanish", "Un hombre lleva dos cajas por el muelle y desata la cuerda."),
        ("fr", "Un homme porte deux caisses sur le quai et il détache la corde."),
        ("Klingon", "tlhIngan maH, and nobody here speaks a word of it."),
    ],
)  # fmt: skip
def test_text_in_the_language_asked_for_passes(language: str, text: str) -> None:
    assert Checker(make_clip(), language=language).answer(text, "descriptive") == []


@pytest.mark.parametrize("language", ["Chinese", "Japanese", "Russian", "Spanish", "de", "fr"])
def test_english_where_another_language_was_asked_for_is_found(language: str) -> None:
    text = "A man carries two crates along the pier and then he unties the rope of the boat."
    found = Checker(make_clip(), language=language).answer(text)
    assert [each.code for each in found] == ["wrong-language"]


TEXTS = st.text() | st.sampled_from([text for _, text in [*pairs(FOUND), *pairs(NEAR)]])


@given(TEXTS, TEXTS, st.floats(0, 100) | st.none(), st.sampled_from(KINDS))
def test_no_text_makes_the_checks_raise(
    question: str, answer: str, duration: float | None, kind: str
) -> None:
    turn = Turn(kind, question, answer)  # type: ignore[arg-type]
    for language in ("English", "Chinese", "Spanish", "?"):
        check([turn, turn], make_clip(duration=duration), language=language)
