"""Kinds of questions: what a question asks for, and which kinds it surely does not."""

from collections import Counter

import pytest
from hypothesis import given, strategies as st

from benchmarks.kinds import Labelled, cross_validated, read_labelled
from tests.support.common import SHARED, requires_shared
from vcgen.checks.question_kind import (
    QUESTION_KINDS,
    RULES,
    QuestionKind,
    deciding_rule,
    possible_kinds,
    question_kind,
)

NEXTQA = SHARED / "instruct" / "nextqa_first300.csv"

# Written before the rules, half in the manner of NExT-QA and half in that of VideoChat.
DESCRIPTIVE = """
what colour is the kite the girl is flying
what is the relationship between the two singers
how many horses are pulling the cart
where was this clip filmed
where are the children having their picnic
what is the old man wearing on his head
who is standing next to the stove
what animal is sleeping on the sofa
what kind of vehicle is parked by the gate
how are the chairs arranged in the hall
how is the weather in the video
what is hanging on the wall
how many times does the monkey clap
what is in the woman's left hand
which sport is being played
is there a dog in the boat
are the players wearing gloves
what sort of event are the people attending
how old does the smaller boy look
where is the cat hiding
What does the kitchen look like?
Describe the setting of the scene.
Can you describe the appearance of the cyclist?
What objects are visible on the workbench?
Who are the main characters in the video?
What is the overall mood of the clip?
What type of food is being prepared?
What is the location of the market stall?
Could you give me a brief overview of what is shown?
How would you describe the landscape?
What can be seen in the background?
Which colors dominate the scene?
Where does the scene take place?
In the video, what is the surfer wearing?
What is happening in the video?
What activity is the group engaged in?
Is the room brightly lit?
How does the bride look?
What instruments are the musicians playing?
How much snow is on the roof?
How tall is the tower compared to the trees?
Please list the people who appear in the clip.
"""
TEMPORAL = """
what does the waiter do after putting down the tray
what did the monkey do before it jumped to the branch
what is the nurse doing while the patient is talking
what does the horse do when the rider pulls the reins
what did the kid do as the balloon burst
how did the cat react when the door opened
how does the girl feel while going down the water slide
how did the audience respond after the song
what is the clown doing
what was the man in the hat doing at the start
what does the lady do next after tasting the soup
what happened to the ice cream when the boy turned around
what does the goalkeeper do first
what did the boy do with the stick
what does the man carry in his arms as he crosses the river
what happens to the tower near the end
who does the girl hug after getting off the train
where does the toddler go after dropping the spoon
does the cat run away when the phone rings
what is the reaction of the father to the gift
What happens after the chef adds the onions?
What happens next?
What happens at the end of the video?
When does the dog catch the frisbee?
How does the video end?
How does the video begin?
In what order are the ingredients added to the bowl?
What is the sequence of events in the clip?
Can you tell me how the sky changes over time?
What changes occur throughout the video?
At what point does the diver leave the platform?
How long does the skater spin?
Which step comes before the dough is rolled out?
After the man lights the fire, what does he do?
When the bell rings, what do the pupils do?
Describe the order of the events in the video.
What did the woman do immediately before she opened the letter?
What takes place between the kick-off and the first goal?
Does the boy wash his hands before or after eating?
How does the position of the boat change from the beginning to the end?
What is the first thing the mechanic removes?
How does the scene progress?
What follows the handshake?
What was the last item she packed?
"""
CAUSAL = """
why did the boy cover his ears
why is the tractor stuck in the mud
why does the woman in the red coat wave after the bus leaves
why are the men shouting while they pull the rope
why did the bird fly off when the boy came near
why is there smoke in the kitchen at the end
how does the girl get the kite down from the tree
how did the dog get out of the pool
how does the man open the coconut
how do the two women carry the sofa up the stairs
how did the father keep the baby from crying
how does the woman show that she likes the present
how is the horse led to the stable
how does the crab move on the sand
how did the boy on the skateboard avoid the bin
how do the dancers stay in time with each other
how does the man in blue make the balloon
how are the fish being caught
what made the children laugh
what is the lady holding the torch for
Why does the video show the empty street first?
What is the reason for the man's sudden stop?
What is the purpose of the wooden frame?
What caused the glass to fall off the table?
What might be the woman's intention when she hides the letter?
What motivates the runner to keep going?
What led to the argument between the drivers?
How come the dog is wet?
For what reason does the climber turn back?
What would happen if the man let go of the rope?
What is the effect of adding baking soda to the mixture?
What causes the crowd to cheer?
What is the result of pulling the lever?
Can you explain why the boy is upset?
Please explain the reasons behind the detour.
What prompted the girl to leave the stage?
Based on the video, why do the workers wear masks?
What is the goal of the game they are playing?
What does the man hope to achieve by shaking the tree?
How does the rain affect the match?
Does the boy cry because he fell?
What makes the engine start again?
When the lights went out, why did nobody move?
What could explain the child's surprise?
What does the farmer use the long pole for?
"""
EXAMPLES: list[tuple[QuestionKind, str]] = [
    ("descriptive", DESCRIPTIVE),
    ("temporal", TEMPORAL),
    ("causal", CAUSAL),
]

# What decides when a question could be taken for another kind.
HARD: list[tuple[QuestionKind, str]] = [
    ("causal", "Why did the crowd cheer after the goal and before the whistle?"),
    ("causal", "After the bell rang, why did they run while it rained?"),
    ("causal", "What caused the car to stop before it reached the bridge?"),
    ("causal", "How does the boy get up after falling?"),
    ("causal", "What did the woman do to make the dog sit?"),
    ("causal", "Explain the man's behaviour at the end."),
    ("causal", "how come the dog is wet after the walk"),
    ("temporal", "How does the dog react after its owner leaves?"),
    ("temporal", "What does the man in the red hat do after he explains the rules?"),
    ("temporal", "What does the girl who wears gloves do as the train leaves?"),
    ("temporal", "Once the cake is out of the oven, what does the baker do?"),
    ("temporal", "When the ball rolls away, does the dog follow?"),
    ("temporal", "Tell me what happens after that, step by step."),
    ("temporal", "Outline it step by step."),
    ("temporal", "Which event comes later?"),
    ("temporal", "Which of these happens while the band plays?"),
    ("descriptive", "What is the woman next to the door wearing?"),
    ("descriptive", "Describe the video in as much detail as you can."),
    ("descriptive", "How many people are left after the bus departs?"),
    ("descriptive", "What color is the shirt of the man who falls when the bell rings?"),
    ("descriptive", "What is she looking for?"),
    ("descriptive", "What does he use to cut the rope?"),
    ("descriptive", "Which animal is seen first?"),
    ("descriptive", "Who shows the girl how to knit?"),
    ("descriptive", "Is there a map of the causeway?"),
]


def label(examples: list[tuple[QuestionKind, str]]) -> list[Labelled]:
    return [
        Labelled("", question, kind)
        for kind, questions in examples
        for question in questions.strip().splitlines()
    ]


def wrong(rows: list[Labelled]) -> list[Labelled]:
    return [row for row in rows if question_kind(row.question) != row.kind]


@pytest.mark.parametrize(("kind", "questions"), EXAMPLES, ids=QUESTION_KINDS)
def test_questions_are_of_the_kind_they_were_written_as(kind: QuestionKind, questions: str) -> None:
    rows = label([(kind, questions)])
    assert len(rows) >= 40
    assert len(wrong(rows)) <= 0.05 * len(rows), wrong(rows)


@pytest.mark.parametrize(("kind", "question"), HARD)
def test_kind_follows_the_question_not_its_clauses(kind: QuestionKind, question: str) -> None:
    assert question_kind(question) == kind


@pytest.mark.parametrize(
    ("question", "kinds"),
    [
        ("Why does he wave after the bus leaves?", {"causal"}),
        ("What is the reason for the delay?", {"causal"}),
        ("What does the cook do after adding salt?", {"temporal"}),
        ("What does the cook do next?", {"temporal"}),
        ("How many dogs are there?", {"descriptive"}),
        ("Where is the kitchen?", {"descriptive"}),
        ("What colour is the car?", {"descriptive"}),
        # The same with a time in them may be asked for the sake of the time.
        ("How many dogs are there after the gate opens?", {"descriptive", "temporal"}),
        ("Where is the ball at the end?", {"descriptive", "temporal"}),
        ("When does the dog bark?", {"descriptive", "temporal"}),
        # An effect is what comes next, an action is what is there, a manner is both or a cause.
        ("What happens after the glass falls?", set(QUESTION_KINDS)),
        ("What is the man doing?", set(QUESTION_KINDS)),
        ("Does the boy cry when he falls?", set(QUESTION_KINDS)),
        ("How does the man cut the fish?", set(QUESTION_KINDS)),
        ("Tell me about the cook.", set(QUESTION_KINDS)),
        ("\u4ed6\u4e3a\u4ec0\u4e48\u7b11?", set(QUESTION_KINDS)),
        ("", set(QUESTION_KINDS)),
    ],
)
def test_a_kind_is_ruled_out_only_where_the_words_leave_no_doubt(
    question: str, kinds: set[QuestionKind]
) -> None:
    assert set(possible_kinds(question)) == kinds


def test_no_question_is_denied_the_kind_it_was_written_as() -> None:
    rows = label([*EXAMPLES, *HARD])
    assert [row for row in rows if row.kind not in possible_kinds(row.question)] == []


def test_every_rule_decides_something() -> None:
    assert {deciding_rule(row.question) for row in label([*EXAMPLES, *HARD])} == set(RULES)


@given(st.text())
def test_any_text_has_a_kind(text: str) -> None:
    kinds = possible_kinds(text)
    assert question_kind(text) == kinds[0]
    assert len(set(kinds)) == len(kinds)


def test_case_apostrophes_and_a_long_tail_change_nothing() -> None:
    assert question_kind("WHAT\u2019S THE REASON?") == "causal"
    assert question_kind("what is on the table? " + "why " * 300_000) == "causal"
    assert question_kind("what is on the table? " + "x" * 1000 + " why") == "descriptive"


@requires_shared
def test_questions_labelled_by_people_are_classified() -> None:
    rows = read_labelled(NEXTQA)
    found = Counter(
        row.kind
        for row, guess in zip(rows, cross_validated(rows), strict=True)
        if guess == row.kind == question_kind(row.question)
    )
    labelled = Counter(row.kind for row in rows)
    assert all(found[kind] >= 0.9 * labelled[kind] for kind in QUESTION_KINDS)
    denied = [row for row in rows if row.kind not in possible_kinds(row.question)]
    assert len(denied) <= 0.01 * len(rows)
