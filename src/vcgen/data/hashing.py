"""64-bit hashes that stand for texts: the same in every process and on every machine.

The probability that two of a million texts share a hash is 3 in 100 million.
"""

from hashlib import blake2b


def hash64(text: str) -> int:
    """Hash a text to an unsigned 64-bit integer."""
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())


def hash_hex(text: str) -> str:
    return f"{hash64(text):016x}"
