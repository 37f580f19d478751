"""Very many names in 8 bytes each: a set of them, and a number for each of them.

The names themselves are not kept, only their 64-bit hashes: among a million names, two share one
with a probability of 3 in 100 million.
"""

from hashlib import blake2b

_SHARDS = 256
# So few that making room in the middle of a chunk moves a few kilobytes.
_CHUNK_ENTRIES = 1024


def hash64(text: str) -> int:
    """64 bits of a text, the same in every process."""
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())


def hash_hex(text: str) -> str:
    """The same in 16 hexadecimal digits."""
    return f"{hash64(text):016x}"
