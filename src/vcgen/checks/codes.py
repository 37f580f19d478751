"""The words of the checks: a `Problem`, and the table of all codes with severity and meaning."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Literal, NamedTuple

from vcgen.errors import UsageError

SeverityOverride = Literal["reject", "re-ask", "flag", "off"]
"""What a recipe may make of a check."""

Severity = Literal["reject", "re-ask", "flag"]

MOST_PROBLEMS = 10
"""So many are told, to the model or in a reject: what is told of a reply must have an end."""


class Problem(NamedTuple):
    """One thing wrong with a sample.

    Attributes:
        code: stable, in kebab-case, one of `CODES`.
        severity: `reject` ends the sample, `re-ask` goes back to the model first, `flag` is only
            noted on the record.
        message: one line, in words a model can act on.
        turn: its number from 1, None where it is the sample as a whole.
    """

    code: str
    severity: Severity
    message: str
    turn: int | None = None

    def __str__(self) -> str:
        return self.message if self.turn is None else f"turn {self.turn}: {self.message}"


class Code(NamedTuple):
    """What a code is worth, and what it means in one line."""

    severity: Severity
    meaning: str


CODES: Mapping[str, Code] = {
    "no-turns": Code("reject", "there is no turn at all"),
    "fence-leak": Code("reject", "a line that fences evidence in the prompt is repeated"),
    "empty": Code("re-ask", "a side is empty"),
    "lone-surrogate": Code("re-ask", "half a character, which no file in UTF-8 can hold"),
    "media-tag": Code("re-ask", "`<video>`, `<image>` or the like, which trainers take for media"),
    "chat-template": Code(
        "re-ask", "marks of a chat template: `<|im_end|>`, `[INST]`, `### Human:`"
    ),
    "prompt-fragment": Code("re-ask", "a label, placeholder or internal name of the prompt"),
    "markup": Code("re-ask", "HTML, a link or an image, which pages would show or run"),
    "code-fence": Code("re-ask", "three backticks"),
    "markdown": Code("re-ask", "bold type, a heading, a list, a table or code in Markdown"),
    "json-left": Code("re-ask", "JSON where prose was asked for"),
    "too-short": Code("re-ask", "fewer words than a text of its kind can do with"),
    "too-long": Code("re-ask", "more words than a text of its kind should have"),
    "no-sentence-end": Code("re-ask", "an answer that breaks off: it does not end as a sentence"),
    "repetition": Code("re-ask", "the same sentence twice, or the same words again and again"),
    "evidence-mention": Code(
        "re-ask", "speaks of captions, tags, frames or a given text as source"
    ),
    "assistant-talk": Code("re-ask", "talk to the reader: `Sure!`, `Here is`, `I hope this helps`"),
    "refusal": Code("re-ask", "declines to answer"),
    "hedge": Code("re-ask", "says what is not known: `it is not mentioned`"),
    "aside": Code("re-ask", "a remark in the first person: `I think`, `(Note: ...)`"),
    "wrong-language": Code("re-ask", "in another language than the one asked for"),
    "time-past-end": Code("re-ask", "names a time after the end of the video"),
    "duplicate-question": Code("re-ask", "asks what another question of the sample asks"),
    "wrong-kind": Code("flag", "a question that cannot be of the kind it is labelled with"),
    "order": Code("flag", "tells events in another order than the evidence has them"),
    "refers-back": Code(
        "flag", "one of several turns that makes no sense where a trainer shuffles them"
    ),
    "ungrounded": Code("flag", "less than half of its content words are in the evidence"),
    "number-contradicted": Code("flag", "another number of something than the evidence has"),
    "colour-contradicted": Code("flag", "another colour of something than the evidence has"),
    "negation-contradicted": Code("flag", "denies what the evidence says, or the reverse"),
    "prompt-mark": Code("reject", "a mark that only the prompt has"),
    "instructions": Code("reject", "48 characters of a system prompt in a row"),
    "encoded": Code("reject", "a word of 64 characters or more, as text in code has"),
    "hidden-characters": Code(
        "reject", "characters that show another text than there is: of control, of direction"
    ),
    "unknown-address": Code("reject", "an address that the evidence does not name"),
    "address": Code("flag", "an address; the evidence names it too, or is not at hand"),
    "duplicate-record": Code("re-ask", "an earlier record of the video has the same turns"),
    "duplicate-answer": Code("re-ask", "word for word an earlier answer about another video"),
    "near-duplicate-answer": Code("flag", "nearly word for word an earlier answer"),
}
"""Every code there is, in the order in which problems are looked for.

From `prompt-mark` to `address` they are found by `vcgen.leaks`, which a run asks by itself. Those
that compare records with earlier ones depend on an order that a run does not have: only
`vcgen.audit` finds them.
"""


def problem(code: str, message: str) -> Problem:
    """A problem of a code, with the severity it is registered with."""
    return Problem(code, CODES[code].severity, message)


def require_codes(codes: Iterable[str]) -> None:
    """Raise UsageError, with the nearest code there is, unless all of them are in `CODES`."""
    for code in codes:
        if code not in CODES:
            near = get_close_matches(code, CODES, 1)
            hint = f"did you mean {near[0]!r}?" if near else "docs/quality.md lists them"
            raise UsageError(f"no check {code[:40]!r}; {hint}")


def apply_severities(
    problems: list[Problem], severities: Mapping[str, SeverityOverride]
) -> list[Problem]:
    """Problems with the severities that a recipe gives them, without those it turns `off`."""
    if not (severities and problems):
        return problems
    found = [(each, severities.get(each.code, each.severity)) for each in problems]
    return [each._replace(severity=severity) for each, severity in found if severity != "off"]
