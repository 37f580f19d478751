"""Tell a wrong configuration from wrong prompts: refusals of different calls that are all alike.

A parameter that the model refuses, or a path that answers with a page, is refused for every call in
the same words. Refusals come back sooner than answers, so a row proves nothing while an answer may
be on its way:

| the endpoint has | a refusal is held after | it is proven by                              |
|------------------|-------------------------|----------------------------------------------|
| answered nothing | the first               | `FIRST` calls alike, and nothing in flight   |
| answered         | `LATER` alike in a row  | these, and nothing in flight                 |

A held refusal is final once the endpoint answers another call.

Pure.
"""

from dataclasses import dataclass, field

from vcgen.engine.retry import FailureReason

# Reasons that a configuration may have; the others are the prompt's.
CONFIGURED = frozenset({FailureReason.BAD_REQUEST, FailureReason.INVALID_RESPONSE})
FIRST, LATER = 3, 50


@dataclass(slots=True)
class RefusedAlike:
    """Refusals of one endpoint in a row.

    Attributes:
        has_answered: it has answered a call.
        words: of the last refusal.
        calls: refused in these words since the last answer.
    """

    has_answered: bool = False
    words: str = ""
    calls: list[object] = field(default_factory=list)

    def on_answered(self) -> None:
        """End the row."""
        self.has_answered = True
        if self.calls:
            self.calls.clear()

    def on_refused(self, call: object, words: str) -> None:
        """Count the refusal of a call, in the endpoint's words."""
        if words != self.words:
            self.words = words
            self.calls.clear()
        if len(self.calls) < LATER and not any(other is call for other in self.calls):
            self.calls.append(call)

    @property
    def is_held(self) -> bool:
        """Whether it is not known who is to blame for the last refusal."""
        return not self.has_answered or self.is_long

    @property
    def is_long(self) -> bool:
        """Whether the row proves it, once no answer is on its way."""
        return len(self.calls) >= (LATER if self.has_answered else FIRST)
