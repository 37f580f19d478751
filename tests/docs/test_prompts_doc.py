"""docs/prompts.md shows the prompts as sent; prompts state beforehand what the checks ask for."""

import re
from pathlib import Path

from jinja2 import Environment, meta

from tests.support.common import make_clip
from tests.support.prompts_page import PAGE, ROOT, renewed
from vcgen.checks.codes import CODES
from vcgen.tasks.conversation import MEANING
from vcgen.tasks.evidence import render_evidence
from vcgen.tasks.templates import Templates

SHARED = {"evidence", "language", "duration", "clip", "canary", "loop"}
# The instruction against each code that costs a second request.
INSTRUCTIONS = {
    "media-tag": "Never write `<video>`, `<image>`",
    "chat-template": "any other markup",
    "prompt-fragment": 'a label such as "Answer:"',
    "markup": "any other markup, a link",
    "code-fence": "any other markup",
    "markdown": "any other markup",
    "json-left": "Reply with the paragraph alone",
    "too-short": "80 to 160 words",
    "too-long": "80 to 160 words",
    "no-sentence-end": "complete sentences",
    "repetition": "Say each thing once",
    "evidence-mention": "Never mention captions",
    "assistant-talk": "remark to the reader",
    "refusal": "apology",
    "hedge": "never call it unclear or not mentioned",
    "aside": "opinion",
    "wrong-language": "Write in English",
    "time-past-end": "never one past the end of the video",
    "duplicate-question": "Each question is about something else",
}
# The last two compare records, and a single request knows only its own.
WITHOUT_INSTRUCTION = {"empty", "lone-surrogate", "duplicate-record", "duplicate-answer"}


def prompt_of(name: str) -> str:
    variables = {
        "evidence": render_evidence(make_clip()),
        "language": "English",
        "min_words": 80,
        "max_words": 160,
        "kinds": ["causal"],
        "narrative": "A boat leaves.",
    }
    return "\n".join(message.content for message in Templates().render(name, variables))


def test_the_page_shows_what_its_commands_print(tmp_path: Path) -> None:
    page = PAGE.read_text("utf-8")
    assert renewed(page, tmp_path) == page, "run python -m tests.support.prompts_page"


def test_the_variables_of_each_template_are_on_the_page() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ?([^|]*)\|$", PAGE.read_text("utf-8"), re.MULTILINE)
    documented = {name: set(re.findall(r"`(\w+)`", cell)) for name, cell in rows}
    syntax = Environment(autoescape=True)  # nothing is rendered
    used = {
        path.stem: meta.find_undeclared_variables(syntax.parse(path.read_text("utf-8")))
        for path in (ROOT / "templates").glob("*.jinja")
    }
    assert documented == {name: names - SHARED for name, names in used.items()}


def test_prompts_state_what_costs_a_second_request() -> None:
    asked_again = {code for code, check in CODES.items() if check.severity == "re-ask"}
    assert INSTRUCTIONS.keys() == asked_again - WITHOUT_INSTRUCTION
    prompts = prompt_of("describe") + prompt_of("converse")
    assert not [code for code, words in INSTRUCTIONS.items() if words not in prompts]


def test_a_kind_means_the_same_in_one_call_and_in_a_selfchat() -> None:
    prompt = prompt_of("converse")
    assert all(f"- {kind}: {meaning}\n" in prompt for kind, meaning in MEANING.items())
