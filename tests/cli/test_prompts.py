"""`vcgen prompts`: templates listed and rendered."""

import re
from pathlib import Path

from tests.support.common import CLIPS, ROOT, Command


def test_prompts_lists_every_template_of_ours(command: Command) -> None:
    listed = {line.split()[0] for line in command("prompts").out.splitlines()}
    assert listed == {path.stem for path in (ROOT / "templates").glob("*.jinja")}


def test_prompts_shows_a_template_as_it_would_be_sent(command: Command) -> None:
    shown = command("prompts", "describe", "--clip", CLIPS)

    assert shown.code == 0
    assert shown.out.startswith("--- system ---\n")
    assert "\n--- user ---\n" in shown.out
    assert "a man in a yellow coat" in shown.out


def test_prompts_shows_the_conversation_that_a_turn_belongs_to(command: Command) -> None:
    shown = command("prompts", "answer", "--clip", CLIPS).out

    roles = re.findall(r"^--- (\w+) ---$", shown, re.MULTILINE)
    assert roles == ["system", "user", "assistant", "user"]
    assert "a man in a yellow coat" in shown


def test_prompts_are_shown_in_any_language(command: Command) -> None:
    for name in ("describe", "converse", "answer"):
        shown = command("prompts", name, "--clip", CLIPS, "--language", "Chinese")
        assert shown.code == 0
        assert "Write in Chinese" in shown.out


def test_templates_of_ones_own_win_by_name(command: Command, tmp_path: Path) -> None:
    (tmp_path / "describe.jinja").write_text(
        '{% extends "base.jinja" %}{% block task %}Tell it like a sailor.{% endblock %}'
    )
    shown = command("prompts", "describe", "--clip", CLIPS, "--templates", tmp_path)

    assert "Tell it like a sailor." in shown.out
    assert "a man in a yellow coat" in shown.out  # ours is still what it extends
