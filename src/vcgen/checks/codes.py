"""The `Problem` of a check, and the table of all codes with severity and meaning."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Literal, NamedTuple, cast

from vcgen.errors import UsageError

SeverityOverride = Literal["reject", "re-ask", "flag", "off"]
"""The severity a recipe may give to a check."""

Severity = Literal["reject", "re-ask", "flag"]
Side = Literal["question", "answer"]

MAX_PROBLEMS = 10
"""In a repair prompt or a reject, which must not grow with the reply."""


class Problem(NamedTuple):
    """One problem of a sample.

    Attributes:
        severity: `reject` ends the sample, `re-ask` returns it to the model first, `flag` is only
            noted on the record.
        excerpt: the text at fault, to be searched for on that side without regard to case; None
            where the fault has no single position.
    """

    code: str  # stable, in kebab-case, one of `CODES`
    severity: Severity
    message: str  # one line that a model can act on
    turn: int | None = None  # number from 1; None for the whole sample
    side: Side | None = None  # of the turn; None for the whole turn or sample
    excerpt: str | None = None

    def __str__(self) -> str:
        return self.message if self.turn is None else f"turn {self.turn}: {self.message}"


class Code(NamedTuple):
    """The severity of a code, and its meaning in one line."""

    severity: Severity
    meaning: str


_TABLE = """
no-turns reject the sample has no turns
fence-leak reject a line that fences evidence in the prompt is repeated
empty re-ask a side is empty
lone-surrogate re-ask half a character, which no file in UTF-8 can hold
media-tag re-ask `<video>`, `<image>` or the like, which trainers take for media
chat-template re-ask marks of a chat template: `<|im_end|>`, `[INST]`, `### Human:`
prompt-fragment re-ask a label, placeholder or internal name of the prompt
markup re-ask HTML, a link or an image, which pages would show or run
code-fence re-ask three backticks
markdown re-ask bold type, a heading, a list, a table or code in Markdown
json-left re-ask JSON where prose was asked for
too-short re-ask fewer words than a text of its kind can do with
too-long re-ask more words than a text of its kind should have
no-sentence-end re-ask an answer that breaks off: it does not end as a sentence
repetition re-ask the same sentence twice, or the same words again and again
evidence-mention re-ask speaks of captions, tags, frames or a given text as source
assistant-talk re-ask talk to the reader: `Sure!`, `Here is`, `I hope this helps`
refusal re-ask declines to answer
hedge re-ask states that something is unknown: `it is not mentioned`
aside re-ask a remark in the first person: `I think`, `(Note: ...)`
wrong-language re-ask in another language than the one asked for
time-past-end re-ask names a time after the end of the video
duplicate-question re-ask asks what another question of the sample asks
wrong-kind flag a question that cannot be of the kind it is labelled with
order flag puts events in another order than the evidence
refers-back flag one of several turns that makes no sense where a trainer shuffles them
ungrounded flag less than half of its content words are in the evidence
number-contradicted flag a number of something that differs from the evidence
colour-contradicted flag a colour of something that differs from the evidence
negation-contradicted flag denies a statement of the evidence, or the reverse
prompt-mark reject a mark that only the prompt has
instructions reject 48 characters of a system prompt in a row
encoded reject a word of 64 characters or more, as text in code has
hidden-characters reject control and direction characters, which change how the text is displayed
unknown-address reject an address that the evidence does not name
address flag an address; the evidence names it too, or is not at hand
duplicate-record re-ask an earlier record of the video has the same turns
duplicate-answer re-ask word for word an earlier answer about another video
near-duplicate-answer flag nearly word for word an earlier answer
"""
CODES: Mapping[str, Code] = {
    code: Code(cast("Severity", severity), meaning)
    for code, severity, meaning in (row.split(maxsplit=2) for row in _TABLE.strip().split("\n"))
}
"""All codes, in the order of the checks.

`checks.leaks` finds those from `prompt-mark` to `address`, which a run checks separately. The last
three compare a record with earlier ones, so they need an order that a run does not have: only
`datasets.validate` finds them.
"""


def problem(
    code: str, message: str, *, side: Side | None = None, excerpt: str | None = None
) -> Problem:
    """Make a problem with the severity its code is registered with."""
    return Problem(code, CODES[code].severity, message, side=side, excerpt=excerpt)


def require_codes(codes: Iterable[str]) -> None:
    """Raise UsageError with the nearest known code unless all codes are in `CODES`."""
    for code in codes:
        if code not in CODES:
            near = get_close_matches(code, CODES, 1)
            hint = f"did you mean {near[0]!r}?" if near else "docs/quality.md lists them"
            raise UsageError(f"unknown check {code[:40]!r}; {hint}")


def apply_severities(
    problems: list[Problem], severities: Mapping[str, SeverityOverride]
) -> list[Problem]:
    """Give problems the severities of a recipe, and drop those that are `off`."""
    if not (severities and problems):
        return problems
    weighed = [(found, severities.get(found.code, found.severity)) for found in problems]
    return [found._replace(severity=severity) for found, severity in weighed if severity != "off"]
