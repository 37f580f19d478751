"""Voice: does the text speak as somebody who watched the video, and of nothing but the video?

What is quoted or reported is the scene's own speech and may say anything. A pattern is tried only
where one of its words occurs.
"""

import re
from typing import NamedTuple

from vcgen.checks.problems import Problem, problem
from vcgen.checks.words import Reading, read

_SAYING = (
    r"(?:also |only |clearly |further )?(?:(?:do(?:es)?|did)(?: not|n't) (?:also |even )?)?"
    r"(?:mention|state|describe|indicate|suggest|note|tell|specif[yi]|impl[yi]|refer|identif[yi]"
    r"|confirm|explain)(?:e?s|ed|ing)?\b"
)
_SOURCE = (
    r"(?:captions?|descriptions?|transcripts?|transcriptions?|annotations?|metadata|narratives?"
    r"|evidence|tags|subtitles|summary|bounding boxes)"
)
_GIVEN = r"(?:provided|given|supplied|available)"
_MATERIAL = (
    r"(?:text|information|evidence|context|details|data|material|narrative|captions?"
    r"|descriptions?|transcripts?|tags|segments?|annotations?|input|frames|summary)"
)
_OF_VIDEO = (
    r"(?:(?:video|image|frame|dense|speech|audio|timed|given|provided|accompanying|above|original"
    r"|video's|clip's) )*"
)
_EVIDENCE = (
    rf"\b(?:the|this|these|each|a) {_OF_VIDEO}{_SOURCE} (?:{_SAYING}|do(?:es)?(?: not|n't) )"
    rf"|\b(?:the|this|these) {_OF_VIDEO}(?:captions?|descriptions?|transcripts?|narrative"
    r"|evidence) (?:also )?(?:says?|tells?|gives?|lists?|provides?|shows?) (?!['\"])"
    rf"|\b(?:according to|based on|judging by|judging from|going by|as per|per|from|among|by|(?:"
    r"mentioned|described|stated|noted|listed|given|indicated|said|seen|shown|suggested) (?:in|by))"
    rf" (?:the|these|this|its|your|all the) {_OF_VIDEO}(?:{_SOURCE}|text|information|frames)\b"
    r"(?! (?:on|at|box|below|of the (?:shirt|clothes|dress)))"
    rf"|\bin (?:the|this|these) {_OF_VIDEO}(?:captions?|descriptions?|transcripts?|narrative|tags)"
    r"(?=[,.;?]| (?:it|there|that|of the (?:video|clip|scene)))"
    rf"|\b{_GIVEN} (?:video |textual )?{_MATERIAL}\b"
    rf"|\b{_MATERIAL} {_GIVEN}\b(?! (?:to|by|with|for|out|away|in))"
    rf"|\bthe (?:text|information) {_SAYING}|\bthe text (?:above|below)\b"
    r"|\b(?:video|clip|scene) is (?:described|captioned|tagged|annotated|titled) (?:as|with)\b"
    r"|\bvideo (?:text|caption|description|metadata|transcript)s?\b"
    rf"|\bthe {_OF_VIDEO}(?:captions|transcripts?|transcriptions?|metadata|annotations|summary)"
    r" (?:also |only |even )?(?:hint|make|list|add|reveal|confirm|point|agree|match|support|include"
    r"|contain|speak|talk)s?\b"
    r"|\b(?:timed|frame|dense|speech|audio) (?:captions?|transcripts?|annotations?|descriptions?)\b"
    rf"|\b(?:in|from|through|with|to|by|fits?|match(?:es)?) the {_OF_VIDEO}(?:captions|transcripts?"
    r"|metadata|annotations)\b(?! (?:on|at|box|below))"
    r"|\b(?:from|by) the tags,? (?:one|we|it|you)\b|\btags (?:of|for|describe|describing) (?:the"
    r"|this) (?:video|clip)\b"
    r"|\b(?:given|provided) (?:timeline|labels?|lines?|list|excerpts?)\b|\bthe tags (?:list|name)\b"
    r"|\b(?:captions?|transcripts?|tags|metadata) (?:for|of) (?:the|this) (?:video|clip)\b"
    r"|\b(?:timestamps?|notes) (?:provided|given)\b|\bvideo's (?:description|caption|summary"
    r"|tags)\b|\breading (?:through )?the (?:transcript|captions)\b|\bthe captioning\b"
    r"|\bspeech[- ]to[- ]text"
    r"|\b(?:according to|based on|judging (?:by|from)|indicated by) the (?:labels?|notes|data|log"
    r"|timestamps?|timeline)\b(?! on)|\b(?:video|clip|scene) is labell?ed\b"
    rf"|\b(?:does|do|did) the {_OF_VIDEO}{_SOURCE} (?:reveal|say|tell|list|add|contain|show)\b"
)
_FRAMES = (
    r"\b(?:across|in|between|throughout|over|from|of) (?:(?:the|these|all|each|several|consecutive"
    r"|sampled|few|\d+) )+(?:video )?frames\b(?! (?:on|hang|of))"
    r"|\bframes? (?:\d+\b|(?:shows?|depicts?|captures?|indicates?|suggests?) )"
    r"|\b(?:in|at|by|from) (?:the |each |every )(?:(?:very )?(?:first|last|final|second|third|next"
    r"|previous|opening|closing|initial) |\d+(?:st|nd|rd|th) )?(?:video )?(?<!the )frame"
    r"(?=[,.;?]| of the (?:video|clip)| (?:there|it|a|the|we)\b)"
    r"|\bkey ?frames?\b|\bbounding[- ]box|\bbbox"
    r"|\bthe (?:first|last|final|second|third|opening|closing) (?:video )?frame (?:has|contains"
    r"|is (?:of|just|only|mostly|an?|blank|black|dark))\b"
)
_OPENING = (
    r"^\W{0,3}(?:sure|certainly|of course|absolutely|(?:great|good) question|okay|ok|gladly"
    r"|no problem|understood|got it|yes, of course)(?: thing)?\s?[!,.:\u2014-]"
    r"|^\W{0,3}(?:here|below)(?:'s| is| are) (?:the|an?|your|my|some) (?:[\w-]+ ){0,4}?"
    r"(?:description|narrative|paragraph|text|summary|version|answer|response|conversation|account"
    r"|draft|questions?|overview|list|breakdown)\b(?! (?:on|painted|written|above the))"
    r"|^\W{0,3}(?:(?:i am |i'm )?(?:happy|glad|delighted) to (?:help|assist)|thank you (?:for"
    r"|so|very)|thanks (?:for|so)|my pleasure|no problem)\b"
    r"|^\W{0,3}(?:alright[,!.:]|(?:sounds good|noted|gotcha|let's (?:get started|begin|dive in))"
    r"[!.])"
)
_ASSISTANT = (
    r"\bi hope (?:this|that|it|these) (?:\w+ ){0,3}?(?:helps?|is|are|meets?)\b"
    r"|\blet me know\b|\bfeel free to (?:ask|let|reach|contact)\b"
    r"|\bif you (?:have|need) any(?:thing)? (?:\w+ ){0,2}?(?:questions?|help|else|information)\b"
    r"|\banything else (?:i can|you (?:would|'d|want|need))\b|\b(?:i am|i'm|i'd be) happy to help\b"
    r"|\b(?:as|i am|i'm|being) an? (?:ai\b|artificial intelligence|(?:large )?language model"
    r"|(?:virtual|text|digital)[- ]\w*\s?assistant|assistant\b)"
    r"|\bas (?:you )?requested\b|\bper your (?:request|instruction)"
    r"|\bi(?: have|'ve) (?:written|revised|rewritten|cleaned|removed|corrected|kept)\b"
    r"|\bi(?: will|'ll) (?:describe|provide|now|answer|explain)\b"
    r"|\bthe (?:cleaned|revised|corrected|rewritten|refined)(?:[- ]up)? (?:text|version|paragraph"
    r"|description|draft|narrative)\b|\bno changes (?:are|were) (?:needed|necessary)\b"
    r"|\bthanks? (?:you )?for (?:asking|your question|the question)\b"
    r"|\byou(?:'ve| have)? asked (?:me )?(?:for|to)\b"
    r"|\bhopefully,? (?:this|that|it|these) (?:\w+ )?(?:gives?|helps?|is|are|meets?|works?"
    r"|captures?|covers?)\b|\b(?:would|do) you (?:like|want) me to\b"
    r"|\bi(?:'d| would) be (?:glad|happy|delighted) to\b|\bi trust (?:this|that)\b"
    r"|\bthank(?:s| you) for your\b|\bshould you (?:need|have|require)\b|\bplease find\b"
    r"|\bi(?:'ve| have) (?:put together|tried to|made sure|included|added|summari[sz]ed|prepared"
    r"|done my best)\b|\bas your assistant\b|\bjust (?:say so|let me|tell me)\b"
)
_ASSISTANT_SENTENCE = (
    r"(?:^|[.!?:,]\s+)here(?: (?:goes|it is|you go|we go)\b[:!,.]|'s (?:what i|one|mine)\b"
    r"| is (?:what i|one\b:|mine))"
    r"|(?:^|[.!?]\s+)(?:enjoy!|hope (?:that|this|it) (?:helps|is|was)\b)"
)
_REFUSAL = (
    r"(?:^|[.!?]\s+)\W{0,2}(?:but )?(?:(?:i'm|i am|we are) (?:really |very |so |truly )?"
    r"(?:sorry|afraid)|sorry\b|(?:my )?apologies|i apologi[sz]e|unfortunately,? i\b)"
    r"|\bi (?:can't|cannot|can not|could not|couldn't|won't|will not|(?:am|was) (?:unable|not able)"
    r" to|must decline|do not feel comfortable)\b"
    r"|\bi'm (?:unable|not able|not allowed|not comfortable)\b|^\W{0,2}(?:unable|not able) to\b"
    r"|\bagainst my (?:guidelines|policy|programming)\b|\bi(?:'d| would) (?:rather|prefer) not\b"
    r"|\b(?:cannot|can't|unable to) (?:assist|comply|fulfil+) (?:with )?(?:this|that|the|your)\b"
    r"|\bi (?:(?:have to|need to|will|would|must) )?(?:\w+ly )?decline\b|\bi have no (?:way|means"
    r"|ability|access|answer)\b|\bi(?:'m| am) (?:only |just )?a (?:text|language|chat)[ -]?\w*\b"
    r"|\bi(?:'m| am) not (?:\w+ly )?(?:in a position|equipped|designed|permitted|meant|made)\b"
    r"|\bi (?:don't|do not) have (?:eyes|access|the (?:means|ability))\b|\bnothing (?:that )?i can"
    r"|\bmy (?:guidelines|polic\w+|rules|training|programming) (?:\w+ )?(?:do|does|don't|doesn't"
    r"|forbids?|prevents?|prohibits?)\b"
    r"|(?:^|[.!?]\s+)(?:regrettably|sadly|unfortunately),? (?:i|we)\b"
    r"|\bwhat i(?:'m| am) allowed\b|\bi lack the\b|\bi (?:don't|do not) feel comfortable\b"
    r"|\bwithin my (?:power|abilities)\b|\bi only work\b"
    r"|(?:\bnot |n't )something (?:that )?i (?:can|could|am)\b"
    r"|\b(?:beyond|outside)(?: of)? (?:my (?:abilit|capabilit|scope)|what i\b)"
)
_REFUSAL_OF_OTHERS = (
    r"no can do\b|(?:not possible|impossible) for (?:me|us)\b|(?:i|we) regret\b"
    r"|(?:would|it's|is) (?:not|n't) (?:be )?(?:appropriate|ethical) (?:for me )?to\b"
)
_ASKED = r"(?:what|why|who|how|where|when|whether|if|which)"
_HEDGE = (
    r"\b(?:(?:is|are|was|were|been)(?: not|n't| never)|never|not) (?:explicitly |clearly |directly "
    r"|specifically |exactly |further |fully |otherwise |ever |being |really )?(?:mentioned"
    r"|specified|stated|described|indicated|disclosed|detailed|elaborated)\b"
    r"|\bnot (?:explicitly|specifically) (?:shown|said|given|identified|named|explained)\b"
    r"|\b(?:it|that|this)(?: is|'s) (?:not (?:\w+ )?(?:clear|known|evident|certain|possible"
    r"|obvious)|unclear|unknown|impossible|hard|difficult|uncertain)"
    rf" (?:from [^.,]{{1,30}} )?(?:exactly )?(?:{_ASKED}\b|to (?:say|tell|determine|know|identify"
    r"|discern|be (?:sure|certain)))"
    r"|\b(?:can ?not|can't|could not|couldn't) be (?:determined|known|inferred|confirmed|answered"
    r"|established|ascertained|identified|verified)\b"
    r"|\b(?:there (?:is|was|are|were) (?:no|not enough|insufficient|not any)|has no|(?:gives?"
    r"|provides?|offers?|contains?|have|lacks?) (?:no|any|not enough|insufficient)) (?:\w+ ){0,2}?"
    r"(?:information|context|mention|indication|details? (?:about|on|of|regarding|given|provided"
    r"|available))\b"
    r"|\b(?:no (?:mention|indication|information)|not enough information|insufficient "
    r"(?:information|evidence|context)|without (?:more|further|additional) (?:information"
    r"|context))\b"
    r"|\b(?:video|clip|scene|footage|text|recording) (?:itself )?(?:do(?:es)?|did)(?: not|n't)"
    r" (?:\w+ly )?(?:mention|specify|say|state|show|tell|indicate|explain|reveal|provide|describe"
    r"|make|give|disclose|clarify|identify|offer|contain)\b"
    rf"|\bunclear (?:exactly )?(?:{_ASKED}|from)\b|\bremains? (?:unclear|unknown|unspecified)\b"
    r"|\b(?:reasons?|purpose|cause|identity|motive|intention|location|name|exact \w+)"
    r"(?: \w+){0,8}? (?:is|are) (?:unclear|unknown|unspecified|uncertain|not (?:known|clear"
    r"|given))\b"
    r"|\bi(?:'m| am) not (?:sure|certain)\b|\bi (?:don't|do not|can't|cannot) (?:know|tell"
    r"|see|say)\b"
    r"|\bno (?:way (?:to|of) (?:know|tell|say|be)|telling|knowing)"
    r"|\bno (?:clue|hint|word|explanation) (?:as to|about|of|on|for|why|how|wh\w+)"
    r"|\bno (?:further|more|other|additional) (?:details?|information|context|explanation)\b"
    r"|\bno (?:\w+ )?(?:details?|information|explanation|reasons?|names?) (?:is|are|was|were)"
    r" (?:\w+ly )?(?:given|provided|offered|shown)\b|\bno one can (?:say|know)\b"
)
_HEDGE_UNSAID = (
    r"\b(?:nothing|little|not much)(?: (?:more|else|further))? (?:is|was|can be) (?:said|told"
    r"|revealed|explained)\b"
    rf"|\b(?:it|that|this) (?:is not|isn't|was not|wasn't)(?: \w+ly)? (?:clear|known|evident"
    rf"|certain|obvious)(?: exactly)?(?: {_ASKED}\b|,? but\b)"
    r"|\b(?:is|are|was|were)(?: not|n't| never) (?:\w+ly )?(?:revealed|explained|disclosed"
    r"|clarified|made clear)\b|\b(?:we|viewers|one) (?:is|are)(?: not|n't| never) (?:told|shown"
    r"|informed)\b"
    r"|\b(?:names?|reasons?|details|purpose|location|identity|cause|ages?)(?: \w+){0,5}? (?:is|are"
    r"|was|were)(?: not|n't| never) (?:\w+ly )?(?:given|shown|told|said|known|provided)\b"
    r"|\b(?:remains?|is|are) (?:an? )?(?:mystery|anyone's guess|open to (?:interpretation"
    r"|question)|up to the imagination)\b|\b(?:we|viewers) (?:cannot|can't|can only guess)\b"
    r"|\bnot (?:provided|available|disclosed|specified)(?=[.,;]| in the (?:video|clip))"
    r"|\bleft to the imagination\b|\bnot much is known\b|\b(?:that|this|it) is not certain\b"
    r"|\bcould be (?:almost )?any(?:where|thing|one|body)\b"
    rf"|\bhard to (?:make out|tell|say|discern) {_ASKED}\b"
    r"|\b(?:details?|information) (?:about|of|on) [^.!?]{1,40} (?:is|are) (?:missing|lacking"
    r"|absent)\b"
    r"|\b(?:is|are) (?:unknown|unspecified|undisclosed|unstated|left (?:unsaid|unclear"
    r"|unexplained|unanswered))\b"
)
_HEDGE_SENTENCE = (
    r"(?:^|[.!?;,]\s+)(?:(?:but )?(?:exactly )?(?:what|why|who|how|whether)\b[^.!?]{1,60}?"
    r" (?:is not|isn't|are not|cannot be|can't be|was not) (?:\w+ly )?(?:shown|said|told"
    r"|known|clear|certain|determined)\b|one (?:cannot|can't|can only guess)\b)"
)
_ASIDE = (
    r"\bi (?:think|believe|guess|suppose|assume|would say|would guess|imagine|feel|wonder|suspect"
    r"|noticed?|observed?|must say|must admit|recall|find it|love|really like|personally)\b"
    r"|\bin my (?:opinion|view|experience|\w+ (?:opinion|view))\b|\bi can (?:see|tell|hear)\b"
    r"|\bif i (?:had to|am|were|remember)\b|\bas far as i (?:can|know)\b"
    r"|(?:^|[.!?]\s+)(?:now,? |first,? )?let(?: me|'s| us) (?:see|look|take|dive|break|walk|start"
    r"|think|explain|describe|analy[sz]e|tell|begin|note|consider)\b"
    r"|[(\[*]note(?: that)?\b|(?:^|[.!?]\s+)(?:please )?note(?::| that\b)"
    r"|\bwait, (?:no|actually|that)\b|\bmy (?:answer|description|apologies|understanding|guess|bet"
    r"|impression|opinion|two cents|favou?rite|view)\b"
    # Out of quotes, who speaks of himself is the writer, unless it is Wilhelm I.
    r"|\bi (?:really|truly|actually|quite|honestly|must|also) \w+|\bif you ask me\b"
    r"|\b(?:just|only) (?:a|my) guess\b|\bto think of it\b|\blet me (?:ask|add|check|rephrase)\b"
    r"|\bi'(?:m|d|ve|ll)\b|(?:^|[.!?,;:(]\s*|\b(?:and|but|so|that|as|if|because|though) )i [a-z]+"
    r"|\bfor what it's worth\b|\bfor myself\b|\bsorry for the\b|\breminds me\b"
    r"|\b(?:as|how|the way) i (?:see|understand|read|take) it\b"
)
_ASIDE_SENTENCE = (
    r"(?:^|[.!?]\s+)(?:(?:personally|honestly|frankly|admittedly|to be (?:honest|fair|frank)"
    r"|hm{2,3}|um{1,2}|uh)\b|(?:wow|oh|oops|ah|well|okay,? so|ok,? so|anyway),)"
)


class _Pattern(NamedTuple):
    """A code and what gives it away.

    Attributes:
        words: one of these is in every match.
    """

    code: str
    words: frozenset[str]
    pattern: re.Pattern[str]
    message: str


def _pattern(code: str, words: str, pattern: str, message: str) -> _Pattern:
    return _Pattern(code, frozenset(words.split()), re.compile(pattern), message)


def _at_words(pattern: str) -> str:
    """Each alternative begins with a word; asked once, that takes a third of the time."""
    return rf"\b(?:{pattern})"


_ALONE = "the {side} talks to the reader ({found!r}): write the text alone"
_WATCHED = (
    "the {side} speaks of a text or frames it was given ({found!r}): speak as somebody who "
    "watched the video"
)
_REFUSED = "the {side} refuses ({found!r}): write of what the video shows"
_REMARK = "the {side} has a remark in the first person ({found!r}): leave it out"
_KNOWN = "the {side} says what is not known ({found!r}): write only of what is"
_OPENS = _pattern(
    "assistant-talk",
    "sure certainly of absolutely great good okay ok gladly no understood got yes here here's "
    "below below's i i'm happy delighted thank thanks my alright sounds noted gotcha let's",
    _OPENING,
    _ALONE,
)
"""Only how a text begins: its first word is one of these."""
_PATTERNS = (
    _pattern(
        "evidence-mention",
        "caption captions description descriptions transcript transcripts transcription annotation "
        "transcriptions annotations metadata narrative narratives evidence tags subtitles summary "
        "text information context details data material segment segments input frames bounding "
        "described captioned tagged annotated titled labelled labeled given provided timeline "
        "label labels notes log timestamp timestamps captioning speech",
        _at_words(_EVIDENCE),
        _WATCHED,
    ),
    _pattern(
        "evidence-mention",
        "frame frames keyframe keyframes bounding bbox bboxes",
        _at_words(_FRAMES),
        _WATCHED,
    ),
    _pattern(
        "assistant-talk",
        "hope let feel you your anything happy ai artificial language assistant requested i i've "
        "i'll i'd i'm cleaned revised corrected rewritten refined changes thank thanks you've "
        "hopefully please just",
        _at_words(_ASSISTANT),
        _ALONE,
    ),
    _pattern("assistant-talk", "here here's enjoy hope", _ASSISTANT_SENTENCE, _ALONE),
    _pattern(
        "refusal",
        "i i'm sorry apologies apologize apologise unfortunately unable able my can't cannot "
        "i'd regrettably sadly",
        _REFUSAL,
        _REFUSED,
    ),
    _pattern(
        "refusal", "no me us regret appropriate ethical", _at_words(_REFUSAL_OF_OTHERS), _REFUSED
    ),
    _pattern(
        "hedge",
        "not isn't aren't wasn't weren't never it's unclear unknown impossible hard difficult "
        "uncertain cannot can't couldn't no enough insufficient lack lacks unspecified "
        "doesn't don't didn't without any i i'm that's",
        _at_words(_HEDGE),
        _KNOWN,
    ),
    _pattern(
        "hedge",
        "not never isn't aren't wasn't weren't cannot can't said told revealed explained unknown "
        "unspecified undisclosed unstated unsaid unclear unexplained unanswered mystery anyone's "
        "interpretation question imagination guess anywhere anything anyone anybody hard missing "
        "lacking absent",
        _at_words(_HEDGE_UNSAID),
        _KNOWN,
    ),
    _pattern("hedge", "not isn't cannot can't guess", _HEDGE_SENTENCE, _KNOWN),
    _pattern(
        "aside",
        "i i'd i'm i've i'll my me let let's note wait guess think worth myself sorry",
        _ASIDE,
        _REMARK,
    ),
    _pattern(
        "aside",
        "personally honestly frankly admittedly honest fair frank hmm hmmm um umm uh wow oh oops "
        "ah well okay ok anyway",
        _ASIDE_SENTENCE,
        _REMARK,
    ),
)
_ALL_WORDS = frozenset().union(*[each.words for each in _PATTERNS])
# The same in Chinese, the other language that evidence comes in.
_CHINESE = (
    (
        "evidence-mention",
        re.compile(r"(?:根据|按照|依据)[^。\uff0c]{0,6}(?:字幕|描述|文本|标签|信息)"),
        "the {side} speaks of a text it was given ({found!r})",
    ),
    (
        "refusal",
        re.compile(r"^(?:很|非常)?(?:抱歉|对不起)|作为(?:一个|一名)?(?:ai|人工智能|语言模型)"),
        "the {side} refuses ({found!r})",
    ),
    (
        "hedge",
        re.compile(r"(?:没有|未|并未)(?:明确)?(?:提到|提及|说明)|无法(?:确定|判断|得知)"),
        "the {side} says what is not known ({found!r})",
    ),
)  # fmt: skip

# Of text in which quotes are straight. What it begins with is one of a few, which is fast to find.
_QUOTED = re.compile(
    r"""["'\u300c](?:(?<=")[^"]*"|(?<=\u300c)[^\u300d]*\u300d"""
    r"""|(?<=')(?<!\w')(?:[^']|(?<=\w)'(?=\w))*'(?!\w))"""
)
# Stands in all that is reported; to look for that takes ten times as long.
_SPEAKER = re.compile(r" (?:i|let|my|sorry)\b")
_REPORTED = re.compile(
    r"\b(?:says?|said|saying|asks?|asked|repl(?:y|ies|ied)|shouts?|yells?|sings?|singing|tells? \w+"
    r"|told \w+|reads?|reading|writes?|explains?|exclaims?)(?: that)?[,:]? (?:i|i'm|let|my|sorry)\b"
    r"[^.!?]*"
)


def voice(side: str, reading: Reading) -> list[Problem]:
    """What a person who watched the video would not say."""
    known = reading.known
    suspects = [] if known.isdisjoint(_ALL_WORDS) else _suspects(known)
    opens = not _OPENS.words.isdisjoint(reading.words[:1])
    if not suspects and not opens and reading.text.isascii():
        return []
    said = _own_words(reading.plain)
    if suspects and said is not reading.plain:
        suspects = _suspects(read(said).known)
    found = {
        each.code: problem(each.code, each.message.format(side=side, found=_shown(match)))
        for each in ([_OPENS] if opens else []) + suspects
        if (match := each.pattern.search(said))
    }
    if not reading.text.isascii():
        found |= {
            code: problem(code, message.format(side=side, found=_shown(match)))
            for code, pattern, message in _CHINESE
            if (match := pattern.search(said))
        }
    return list(found.values())


def _suspects(known: frozenset[str]) -> list[_Pattern]:
    return [each for each in _PATTERNS if not each.words.isdisjoint(known)]


def _shown(match: re.Match[str]) -> str:
    return match[0].strip(" .!?")[:60]


def _own_words(plain: str) -> str:
    """A text without what is quoted and reported in it, unless that is all of it."""
    own = plain
    if '"' in plain or "'" in plain or not plain.isascii():
        own = _QUOTED.sub(" '' ", own)
    if _SPEAKER.search(own):
        own = _REPORTED.sub(" ", own)
    if own is plain:
        return plain
    return own if any(map(str.isalpha, own)) else plain
