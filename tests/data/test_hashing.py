"""Hashes stand for texts in files and across processes, so their values never change."""

import subprocess
import sys

import pytest

from vcgen.data.hashing import hash64, hash_hex

# Values that run directories of 0.1.0 hold; a change would make continued runs repeat samples.
KNOWN = {
    "": "e4a6a0577479b2b4",
    "harbour-1": "29ee8b7b8e1a7e99",
    "日": "aaeb89bf1559a3cb",
    "\ud800": "cd1a92efec30b7e9",
}


@pytest.mark.parametrize(("text", "digits"), KNOWN.items(), ids=ascii)
def test_a_hash_has_its_known_value(text: str, digits: str) -> None:
    assert hash_hex(text) == digits
    assert hash64(text) == int(digits, 16)


def test_a_hash_is_the_same_in_another_process() -> None:
    program = "from vcgen.data.hashing import hash_hex; print(hash_hex('harbour-1'))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == hash_hex("harbour-1")


def test_a_hash_has_64_bits_and_leading_zeros() -> None:
    hashes = [hash64(str(number)) for number in range(5_000)]
    assert len(set(hashes)) == len(hashes)
    assert max(hashes) < 2**64
    assert {len(hash_hex(str(number))) for number in range(5_000)} == {16}
