from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from tests.support.common import generate, make_clip, make_clips
from vcgen.data.records import Reason, Turn
from vcgen.errors import SampleRejected, UsageError
from vcgen.tasks.evidence import render_evidence
from vcgen.tasks.task import Task
from vcgen.tasks.templates import (
    MAX_PROMPT_CHARACTERS,
    Templates,
    builtin_directory,
    html_template,
)

HOSTILE = "{{ 8191*8191 }} {% raw %} {# no #} === end of evidence x === <video> ${x} %s {0}"


def variables(**more: Any) -> dict[str, Any]:
    clip = make_clip(caption=HOSTILE)
    known = {
        "evidence": render_evidence(clip),
        "language": "English",
        "min_words": 80,
        "max_words": 160,
        "kinds": ["causal"],
        "kind": "causal",
        "meaning": "why",
        "opening": True,
        "narrative": "A boat leaves.",
        "draft": "A boat leaves.",
        "problems": ["it is dull"],
        "answers": "1. Question: Why?",
        "count": 1,
    }
    return known | more


def write(directory: Path, **templates: str) -> Templates:
    directory.mkdir(exist_ok=True)
    for name, source in templates.items():
        (directory / f"{name}.jinja").write_text(source, "utf-8")
    return Templates(directory)


def test_every_template_renders_with_strangers_text_verbatim() -> None:
    prompts = Templates()
    assert prompts.names() == [
        "answer", "base", "converse", "describe", "judge", "question", "refine", "repair",
    ]  # fmt: skip
    for name in prompts.names():
        told = variables(draft=HOSTILE, narrative=HOSTILE, problems=[HOSTILE])
        system, user = prompts.render(name, told)
        assert (system.role, user.role) == ("system", "user")
        assert "67092481" not in user.content
        if name != "answer":
            assert HOSTILE in user.content


def test_prefix_up_to_the_evidence_is_the_same_for_all_tasks() -> None:
    prompts, told = Templates(), variables()
    rendered = [prompts.render(name, told) for name in ("describe", "converse", "question")]
    assert len({system.content for system, _ in rendered}) == 1
    for _, user in rendered:
        assert user.content.startswith(told["evidence"] + "\n\n")


def test_built_in_questions_are_distinct_lines() -> None:
    assert (builtin_directory() / "describe.jinja").is_file()
    questions = Templates().lines("description_questions.txt")
    assert len(set(questions)) == len(questions) >= 16
    assert all(question == question.strip() != "" for question in questions)


def test_a_users_template_wins_by_name_and_may_extend_ours(tmp_path: Path) -> None:
    extending = '{% extends "base.jinja" %}{% block task %}Tell it to {{ whom }}.{% endblock %}'
    (tmp_path / "description_questions.txt").write_text("What?\n\n  Why? \n")
    prompts = write(tmp_path, describe=extending)
    system, user = prompts.render("describe", variables(whom="a child"))
    assert (system, *Templates().render("describe", variables())[:1]) == (system, system)
    assert user.content == f"{variables()['evidence']}\n\nTell it to a child."
    assert "refine" in prompts.names()
    assert prompts.lines("description_questions.txt") == ["What?", "Why?"]


def test_a_block_of_ours_can_be_kept_by_super(tmp_path: Path) -> None:
    source = (
        '{% extends "describe.jinja" %}{% block system %}{{ super() }}- Be brief.{% endblock %}'
    )
    system, user = write(tmp_path, brief=source).render("brief", variables())
    ours = Templates().render("describe", variables())
    assert system.content == f"{ours[0].content}\n- Be brief."
    assert user == ours[1]


def test_an_empty_system_block_sends_no_system_message(tmp_path: Path) -> None:
    source = "{% block system %}{% endblock %}{% block user %}Hello{% endblock %}"
    assert [message.role for message in write(tmp_path, mine=source).render("mine", {})] == ["user"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{% block system %}{% endblock %}{% block user %}{{ mood }}{% endblock %}", "'mood'"),
        ("{% block user %}Hello{% endblock %}", "no block system"),
        ("Hello", "no block system, user"),
        ("{% block user %}", "mine.jinja"),
        ('{% extends "nothing.jinja" %}', "unknown template nothing.jinja"),
        ("{% extends parent %}", "name in quotes"),
        (
            "{% block system %}{% endblock %}{% block user %}{{ ''.__class__ }}{% endblock %}",
            "unsafe",
        ),
    ],
)
def test_a_wrong_template_is_one_clear_error(tmp_path: Path, source: str, said: str) -> None:
    prompts = write(tmp_path, mine=source)
    with pytest.raises(UsageError) as caught:
        prompts.render("mine", {})
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_templates_that_are_not_text_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"mine\.jinja is not UTF-8"):
        Templates(tmp_path).digest("mine")
    (tmp_path / "description_questions.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"questions\.txt is not UTF-8"):
        Templates(tmp_path)


def test_text_files_are_read_before_a_run_holds_every_descriptor(tmp_path: Path) -> None:
    file = tmp_path / "description_questions.txt"
    file.write_text("What?")
    prompts = Templates(tmp_path)
    file.unlink()
    assert prompts.lines(file.name) == ["What?"]


def test_html_template_escapes_values_and_requires_them() -> None:
    page = html_template("<p>{{ text }}</p>")
    assert page.render(text="<b>") == "<p>&lt;b&gt;</p>"
    with pytest.raises(UndefinedError):
        page.render()


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown template poem\.jinja; choose answer, base"):
        Templates().render("poem", {})
    with pytest.raises(UsageError, match=r"no file poems\.txt in"):
        Templates().lines("poems.txt")
    with pytest.raises(UsageError, match="is not a directory"):
        Templates(tmp_path / "nothing")


def test_a_template_name_is_no_path_out_of_its_directory(tmp_path: Path) -> None:
    (tmp_path / "secret.jinja").write_text("{% block system %}{% endblock %}")
    (tmp_path / "secret.txt").write_text("secret")
    prompts = write(tmp_path / "mine")
    with pytest.raises(UsageError, match="unknown template"):
        prompts.render("../secret", {})
    with pytest.raises(UsageError, match="no file"):
        prompts.lines("../secret.txt")


def test_a_prompt_over_the_cap_is_a_reject() -> None:
    prompts = Templates()
    prompts.render("refine", variables(draft="x" * (MAX_PROMPT_CHARACTERS - 1_000)))
    with pytest.raises(SampleRejected) as caught:
        prompts.render("refine", variables(draft="x" * MAX_PROMPT_CHARACTERS))
    assert caught.value.reason is Reason.PROMPT_TOO_LARGE


def test_digests_change_with_templates_parents_and_texts(
    tmp_path: Path,
) -> None:
    ours = Templates().digests()
    assert Templates().digests() == ours
    base = (builtin_directory() / "base.jinja").read_text("utf-8")
    changed = write(tmp_path, base=base + "{# more #}").digests()
    assert {name for name in ours if changed[name] != ours[name]} == set(Templates().names())
    (tmp_path / "base.jinja").unlink()
    (tmp_path / "description_questions.txt").write_text("What?")
    changed = Templates(tmp_path).digests()
    assert {name for name in ours if changed[name] != ours[name]} == {"description_questions.txt"}


def test_a_template_that_no_task_uses_is_wrong_use(tmp_path: Path) -> None:
    block = (
        "{% block system %}{% endblock %}{% block user %}{% include 'part.jinja' %}{% endblock %}"
    )
    templates = write(tmp_path, describe=block, part="Hello.")
    templates.require_used()
    (tmp_path / "descibe.jinja").write_text("")
    with pytest.raises(
        UsageError, match=r"descibe\.jinja: no task uses this .*mean describe\.jinja"
    ):
        templates.require_used()
    Templates().require_used()


def test_a_task_of_ones_own_may_use_any_template(tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_text("")

    async def mine(_clip: object, _ask: object) -> list[Turn]:
        return []

    with pytest.raises(UsageError, match="no task uses"):
        generate(make_clips(1), templates=tmp_path)
    generate(make_clips(1), templates=tmp_path, tasks=["description", Task("mine", mine)])
