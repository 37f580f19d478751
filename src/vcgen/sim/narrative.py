"""Tell a scene as one paragraph, and clean a paragraph up."""

from collections.abc import Sequence
from random import Random

from vcgen.sim.scene import Moment, Scene, lies_within
from vcgen.sim.wording import is_whole, listed, sentence, sentences, shorten

_FIRST = ("First", "At first", "To begin with", "At the start")
_MIDDLE = ("Next", "Then", "After that", "Following this", "From there", "Later on")
_MEANWHILE = ("Meanwhile", "At the same time", "While this goes on")
_LAST = ("Finally", "Lastly", "At the end", "In the end")
_LONGEST_CLOSING = 20
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def describe(scene: Scene, least_words: int, most_words: int, random: Random) -> str:
    """The scene in at most `most_words` words; `least_words` only as far as enough is known."""
    opening = [sentence(f"in this video, {scene.caption}")] if scene.caption else []
    moments = scene.moments
    if not moments and not scene.caption:
        moments = scene.events
    setting = _setting(scene)
    room = most_words - _count(opening) - _LONGEST_CLOSING
    if _count([setting]) * 4 < room:
        room -= _count([setting])
        opening += [setting] if setting else []
    chosen = _that_fit(moments, room)
    spare = least_words - (most_words - room) - sum(3 + _count([m.clause]) for m in chosen)
    told = _in_order(chosen, random, with_times=spare > 0)
    return " ".join([*opening, *told, _closing(scene, chosen, random)])


def refine(draft: str) -> str:
    """The draft without exact repeats and without sentences that break off."""
    pieces = sentences(draft)
    seen: set[str] = set()
    kept = []
    for piece in pieces:
        key = " ".join(piece.lower().split())
        if key in seen or not is_whole(piece):
            continue
        seen.add(key)
        kept.append(piece)
    return "".join(kept).strip() or draft.strip()


def _count(texts: Sequence[str]) -> int:
    return sum(text.count(" ") + 1 for text in texts if text)


def _setting(scene: Scene) -> str:
    if not scene.topics or not (scene.moments or scene.caption or scene.summary):
        return ""
    return sentence(f"among what can be seen are {listed(scene.topics[:6])}")


def _closing(scene: Scene, told: Sequence[Moment], random: Random) -> str:
    if scene.summary:
        summary = shorten(scene.summary.replace("the camera", "the video", 1), _LONGEST_CLOSING)
        return sentence(f"overall, {summary}")
    number = sum(moment.source == "seen" for moment in told)
    steps = _NUMBERS[number] if number < len(_NUMBERS) else "many"
    lasting = f"about {scene.duration} seconds" if scene.duration else ""
    if number < 2:
        return f"Overall, the video keeps to this one scene{lasting and f' for {lasting}'}."
    over = lasting and f" over {lasting}"
    words = listed([f"the {word}" for word in scene.keywords]) if scene.keywords else ""
    forms = [
        f"Overall, the video goes through {steps} steps, one after another{over}.",
        f"Overall, the video follows {steps} events from start to finish{over}.",
        f"Overall, the video runs for {lasting or 'a while'} and is made up of {steps} parts.",
    ]
    if words:
        forms = [
            f"Overall, the video is about {words}, shown in {steps} steps{over}.",
            f"Overall, the {steps} parts of the video keep coming back to {words}{over}.",
            f"Overall, {words} can be followed through {steps} stages of the video{over}.",
        ]
    return random.choice(forms)


def _that_fit(moments: Sequence[Moment], room: int) -> list[Moment]:
    """As many as the room of words takes: what is seen goes before what is heard or named."""
    kept = [
        moment
        if moment.clause.count(" ") < room
        else moment._replace(clause=shorten(moment.clause, max(8, room)))
        for moment in moments
    ]
    cost = sum(3 + _count([moment.clause]) for moment in kept)
    while cost > room and len(kept) > 1:
        inner = range(1, len(kept) - 1) if len(kept) > 2 else range(1, 2)
        drop = max(inner, key=lambda at: (kept[at].source != "seen", _count([kept[at].clause])))
        cost -= 3 + _count([kept.pop(drop).clause])
    return kept


def _in_order(moments: Sequence[Moment], random: Random, *, with_times: bool) -> list[str]:
    """One sentence a moment, each with a word of order; short neighbours may share one."""
    if len(moments) == 1 and not moments[0].start:
        return [sentence(moments[0].clause)]
    middle, told = list(_MIDDLE), []
    random.shuffle(middle)
    at = 0
    while at < len(moments):
        moment = moments[at]
        taken = 2 if _may_share(moments, at, random) else 1
        lead = _lead(moments, at, taken, middle, random)
        if with_times and at > 0 and moment.start:
            lead += f", at about {moment.start} seconds"
        clauses = " and then ".join(one.clause for one in moments[at : at + taken])
        told.append(sentence(f"{lead}, {clauses}"))
        at += taken
    return told


def _may_share(moments: Sequence[Moment], at: int, random: Random) -> bool:
    pair = moments[at : at + 2]
    return (
        0 < at < len(moments) - 2
        and all(" and " not in one.clause and _count([one.clause]) < 9 for one in pair)
        and not lies_within(pair[1], pair[0])
        and random.random() < 0.6
    )


def _lead(
    moments: Sequence[Moment], at: int, taken: int, middle: Sequence[str], random: Random
) -> str:
    if at == 0:
        return random.choice(_FIRST)
    if lies_within(moments[at], moments[at - 1]):
        return random.choice(_MEANWHILE)
    if at + taken == len(moments):
        return random.choice(_LAST)
    return middle[at % len(middle)]
