"""What an error is about: the account, the model, the address, or this one request. Pure.

Servers of one API use the same status for different things: no credit is a 400, 402, 403 or 429, an
unknown model a 400 or 404, a prompt that is too long a 400, 413, 422, 429 or 500. So the code
decides, then the words, then the status.

| meaning          | known by                                                                   |
|------------------|----------------------------------------------------------------------------|
| KEY              | 401; 403 before the endpoint has answered; codes and words                 |
| QUOTA            | 402; codes and words                                                       |
| MODEL            | codes; words of a 400 or 404                                               |
| REDIRECT         | 301, 302, 303, 307, 308                                                    |
| ADDRESS          | 404 or 405 before the endpoint has answered                                |
| CERTIFICATE      | the handshake                                                              |
| PROMPT_TOO_LARGE | 413; codes and words                                                       |
| FILTERED         | 451; 403 after answers with the same key; codes and words                  |
| UNUSABLE_TEXT    | the server found the model's text unusable, as a schema's                  |
| OTHER            |                                                                            |

Words and codes are those of OpenAI, Azure, Anthropic, Gemini, Groq, OpenRouter, Ollama, llama.cpp,
vLLM and TGI.
"""

import re
from enum import Enum

from vcgen.engine.chat import Failure, FailureKind


class ErrorMeaning(Enum):
    """The table of this module."""

    KEY = "the endpoint refuses the key"
    QUOTA = "the account has no quota left"
    MODEL = "the endpoint has no such model"
    REDIRECT = "the endpoint redirects"
    ADDRESS = "the endpoint has no such address"
    CERTIFICATE = "the endpoint's certificate cannot be verified"
    PROMPT_TOO_LARGE = "the prompt is too large"
    FILTERED = "the prompt or the answer is withheld"
    UNUSABLE_TEXT = "the model's text is unusable"
    OTHER = "an error"


_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CODES = {
    ErrorMeaning.KEY: {"invalid_api_key", "API_KEY_INVALID", "authentication_error"},
    ErrorMeaning.QUOTA: {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_credits",
        "insufficient_balance",
    },
    ErrorMeaning.MODEL: {
        "model_not_found",
        "model_decommissioned",
        "DeploymentNotFound",
        "NotFoundError",  # vLLM
    },
    ErrorMeaning.PROMPT_TOO_LARGE: {
        "context_length_exceeded",
        "exceed_context_size_error",
        "string_above_max_length",
        "request_too_large",
    },
    ErrorMeaning.FILTERED: {
        "content_filter",
        "content_policy_violation",
        "ResponsibleAIPolicyViolation",
        "PROHIBITED_CONTENT",
    },
    ErrorMeaning.UNUSABLE_TEXT: {"json_validate_failed", "tool_use_failed"},
}
_BY_CODE = {code: meaning for meaning, codes in _CODES.items() for code in codes}
_LIMIT = (
    r"(?:context (?:length|window|size)|token (?:limit|count)|input length|max(?:imum)? tokens)"
)
_WORDS = {
    ErrorMeaning.PROMPT_TOO_LARGE: re.compile(
        rf"request too large|(?:prompt|input|request) (?:is )?too (?:long|large)|{_LIMIT}"
        r"|reduce the length|too many (?:input )?tokens|`inputs` tokens",
        re.IGNORECASE,
    ),
    ErrorMeaning.QUOTA: re.compile(
        r"credit balance|(?:insufficient|not enough|out of) (?:balance|credits?|quota|funds)"
        r"|exceeded your current quota",
        re.IGNORECASE,
    ),
    ErrorMeaning.KEY: re.compile(
        r"(?:invalid|incorrect|missing|no) api.?key|api.?key (?:is )?(?:not valid|invalid)",
        re.IGNORECASE,
    ),
    ErrorMeaning.MODEL: re.compile(
        r"\bmodel\b.{0,200}?(?:not found|not exist|decommissioned|retired|no longer available)"
        r"|(?:not a valid|no such|unknown|invalid) model",
        re.IGNORECASE,
    ),
    ErrorMeaning.FILTERED: re.compile(
        r"moderation|was flagged|content (?:management )?policy|safety system", re.IGNORECASE
    ),
}
# A refusal of these statuses may be about anything; others say what they are about.
_ANY = frozenset({400, 403, 404, 413, 422, 429, 500})


def meaning_of(failure: Failure, *, has_answered: bool) -> ErrorMeaning:
    """What a failure is about. `has_answered`: the endpoint has answered with the same key."""
    status = failure.status
    if failure.kind is FailureKind.BAD_CERTIFICATE:
        return ErrorMeaning.CERTIFICATE
    if failure.code == "NotFoundError" and status != 404:
        return ErrorMeaning.OTHER
    if (meaning := _BY_CODE.get(failure.code)) is not None:
        return meaning
    if status in _ANY:
        for meaning, words in _WORDS.items():
            if words.search(failure.message):
                return meaning
    return _by_status(status, has_answered=has_answered)


def _by_status(status: int, *, has_answered: bool) -> ErrorMeaning:
    if status in _REDIRECTS:
        return ErrorMeaning.REDIRECT
    if status in {404, 405} and not has_answered:
        return ErrorMeaning.ADDRESS
    if status == 401 or (status == 403 and not has_answered):
        return ErrorMeaning.KEY
    if status == 402:
        return ErrorMeaning.QUOTA
    if status == 413:
        return ErrorMeaning.PROMPT_TOO_LARGE
    return ErrorMeaning.FILTERED if status in {403, 451} else ErrorMeaning.OTHER
