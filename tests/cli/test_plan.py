"""`vcgen plan`: an estimate for people and for programs."""

import re

import orjson

from tests.support.common import CLIPS, Command


def test_a_plan_is_lined_up_for_people(command: Command) -> None:
    planned = command("plan", CLIPS, "--model", "m", "--price", "1,2", "--rpm", 60)
    assert (planned.code, planned.err) == (0, "")
    assert re.search(r"^clips +6, 6 of them sampled$", planned.out, re.MULTILINE)
    assert re.search(r"^time +[\d.]+ (s|min), limited by rpm$", planned.out, re.MULTILINE)
    assert re.search(r"^cost +\$\d", planned.out, re.MULTILINE)


def test_time_is_unknown_without_limits(command: Command) -> None:
    assert "unknown without --rpm, --tpm or --latency" in command("plan", CLIPS, "--model", "m").out


def test_a_judge_has_lines_of_its_own(command: Command) -> None:
    asked = ("plan", CLIPS, "--model", "m", "--judge", "j", "--judge-price", "1,2")
    assert re.search(r"^judge +j\n  requests +\d+\n  tokens +", command(*asked).out, re.MULTILINE)


def test_json_is_one_object(command: Command) -> None:
    planned = command("plan", CLIPS, "--model", "m", "--json")
    assert orjson.loads(planned.out)["clips"] == 6


def test_options_of_generate_are_understood(command: Command) -> None:
    asked = ("--key-env", "NO_KEY", "--json-mode", "prompt", "--temperature", 0.5)
    assert command("plan", CLIPS, "--model", "m", *asked).code == 0
