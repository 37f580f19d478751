"""Tokens as a model's own tokenizer counts them; the only module that knows `tokenizers`."""

from collections.abc import Callable
from pathlib import Path

from vcgen.errors import UsageError


def tokenizer(name: str) -> Callable[[str], int]:
    """A function that counts the tokens of a text.

    Args:
        name: a `tokenizer.json`, or a model of the Hugging Face hub.

    Raises:
        UsageError: there is no such tokenizer, or the package is not installed.
    """
    try:
        from tokenizers import Tokenizer  # noqa: PLC0415 - an extra that few need
    except ImportError as error:
        raise UsageError(
            "a tokenizer needs the package tokenizers: pip install 'vcgen[hf]', or leave "
            "--tokenizer out to estimate"
        ) from error
    try:
        is_file = Path(name).is_file()
        found = Tokenizer.from_file(name) if is_file else Tokenizer.from_pretrained(name)
    except Exception as error:  # the package raises nothing narrower
        said = str(error).partition("\n")[0]
        raise UsageError(f"tokenizer {name!r}: {said}") from error
    # As some files ask for, which would make every text as long.
    found.no_truncation()
    found.no_padding()
    return lambda text: len(found.encode(text, add_special_tokens=False).ids)
