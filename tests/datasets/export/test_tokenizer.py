"""Tokens are counted by a model's own tokenizer."""

import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

import vcgen
from tests.support.common import Command, make_clips
from vcgen.datasets.export.tokenizer import tokenizer
from vcgen.errors import UsageError


def test_without_tokenizers_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    vcgen.run(make_clips(1), model="sim", output=tmp_path / "run")
    asked = ("export", tmp_path / "run", "--format", "videochat", "-o", tmp_path / "x.json")
    done = command(*asked, "--max-record-tokens", 512, "--tokenizer", "some/model")
    assert done.code == 2
    assert "pip install 'vcgen[hf]'" in done.err
    assert command(*asked, "--max-record-tokens", 512).code == 0


def tokens_of(path: Path) -> Tokenizer:
    known = Tokenizer(WordLevel({"[UNK]": 0, "[PAD]": 1}, unk_token="[UNK]"))
    known.pre_tokenizer = WhitespaceSplit()
    known.enable_truncation(2)
    known.enable_padding(length=100)
    known.save(str(path))
    return known


def test_a_tokenizer_counts_all_of_a_text_and_nothing_else(tmp_path: Path) -> None:
    tokens_of(tmp_path / "tokenizer.json")
    count = tokenizer(str(tmp_path / "tokenizer.json"))
    assert [count(""), count("A man"), count("A man walks his dog.")] == [0, 2, 5]


def test_a_tokenizer_that_is_none_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(UsageError, match=r"tokenizer '.*x\.json': ") as caught:
        tokenizer(str(tmp_path / "x.json"))
    assert "\n" not in str(caught.value)
