"""Every format is listed, and read by its trainer."""

from tests.support.common import Command
from tests.support.trainers import READERS
from vcgen.datasets.export import FORMATS


def test_all_formats_are_listed_with_what_they_are_for(command: Command) -> None:
    done = command("export", "--list")
    assert done.code == 0
    listed = [line.split("  ", 1) for line in done.out.splitlines()]
    assert [(name, text.strip()) for name, text in listed] == [
        (name, form.purpose) for name, form in FORMATS.items()
    ]


def test_every_format_has_a_reader_and_says_what_it_is_for() -> None:
    assert READERS.keys() == FORMATS.keys()
    assert all(10 < len(form.purpose) < 80 for form in FORMATS.values())
