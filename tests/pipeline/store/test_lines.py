from typing import Any

import orjson
import pytest
from hypothesis import given, settings, strategies as st
from pydantic import TypeAdapter

from vcgen.data.records import Reason, Record, Reject, Turn
from vcgen.pipeline.store.lines import decode_line, encode_line, line_id

any_text = st.text(st.characters(exclude_categories=()))  # lone surrogates too
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | any_text,
    lambda inner: st.lists(inner) | st.dictionaries(any_text, inner),
    max_leaves=20,
)
LINE = encode_line({"id": "harbour/description/0", "text": 'a "boat" \u2028 leaves', "n": 1.5})[:-1]


def mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {mended(key): mended(item) for key, item in value.items()}
    return [mended(item) for item in value] if isinstance(value, list) else value


@settings(deadline=None)
@given(any_text, json_values)
def test_row_round_trips_with_lone_surrogates_replaced(name: str, value: Any) -> None:
    line = encode_line({"id": name, "value": value})
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert line_id(line[:-1]) == mended(name)
    assert decode_line(line) == {"id": mended(name), "value": mended(value)}


@pytest.mark.parametrize("text", ["\u2028\u2029\x85\x0b", "\r\n\t\x00", "ö" * 20_000, '"},\\', ""])
def test_no_text_breaks_a_line(text: str) -> None:
    line = encode_line({"id": text, "text": text})
    assert line.count(b"\n") == 1
    assert line_id(line[:-1]) == text
    assert decode_line(line)["text"] == text


def test_records_and_rejects_come_back_from_their_lines() -> None:
    turn = Turn("causal", "Why?", "Because of the tide. \ud83d")
    record = Record(id="a/x/0", video="a.mp4", clip_id="a", task="x", turns=(turn,), flags=("odd",))
    restored = TypeAdapter(Record).validate_python(decode_line(encode_line(record)))
    assert restored.turns == (Turn("causal", "Why?", "Because of the tide. ?"),)
    assert (restored.id, restored.video, restored.flags) == ("a/x/0", "a.mp4", ("odd",))
    reject = Reject(id="b/x/0", reason=Reason.REFUSAL, message="no", attempts=2, reply="\ud800no")
    again = TypeAdapter(Reject).validate_python(decode_line(encode_line(reject)))
    assert (again.reason, again.attempts, again.reply) == (Reason.REFUSAL, 2, "?no")


def test_a_line_is_plain_json_with_its_checksum_last() -> None:
    assert list(orjson.loads(LINE)) == ["id", "text", "n", "crc"]


def test_every_flipped_bit_is_noticed() -> None:
    assert line_id(LINE) is not None
    for place in range(len(LINE)):
        for bit in range(8):
            damaged = bytearray(LINE)
            damaged[place] ^= 1 << bit
            assert line_id(bytes(damaged)) is None, (place, bit)


def test_a_line_cut_anywhere_is_no_line() -> None:
    for end in range(len(LINE)):
        assert line_id(LINE[:end]) is None
        assert line_id(LINE[end + 1 :]) is None


@pytest.mark.parametrize("line", [b"", b"{}", b'{"id":"a"}', b'{"id":"a","crc":"00000000"}'])
def test_json_without_a_right_checksum_is_no_line(line: bytes) -> None:
    assert line_id(line) is None


def test_a_line_whose_id_is_not_first_is_no_line() -> None:
    assert line_id(encode_line({"name": "a", "id": "b"})[:-1]) is None


@given(st.binary())
def test_no_bytes_make_line_id_raise(line: bytes) -> None:
    assert line_id(line) is None
