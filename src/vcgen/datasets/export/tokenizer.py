"""Count tokens by a model's own tokenizer; the only module that imports `tokenizers`."""

from collections.abc import Callable
from pathlib import Path

from vcgen.errors import UsageError


def tokenizer(name: str) -> Callable[[str], int]:
    """Return a function that counts the tokens of a text.

    Args:
        name: a `tokenizer.json`, or a model of the Hugging Face hub.

    Raises:
        UsageError: the tokenizer does not exist, or the package is not installed.
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
        loaded = Tokenizer.from_file(name) if is_file else Tokenizer.from_pretrained(name)
    except Exception as error:  # the package raises nothing narrower
        reason = str(error).partition("\n")[0]
        raise UsageError(f"tokenizer {name!r}: {reason}") from error
    # Some files ask for both, which would make all texts equally long.
    loaded.no_truncation()
    loaded.no_padding()
    return lambda text: len(loaded.encode(text, add_special_tokens=False).ids)
