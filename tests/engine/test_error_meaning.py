"""What errors of real servers are about, in their own words."""

import pytest

from vcgen.engine.chat import Failure
from vcgen.engine.error_meaning import ErrorMeaning, meaning_of

M = ErrorMeaning
CASES = [
    (401, "invalid_api_key", "Incorrect API key provided: sk-1.", M.KEY),
    (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", M.KEY),
    (429, "insufficient_quota", "You exceeded your current quota.", M.QUOTA),
    (400, "invalid_request_error", "Your credit balance is too low to access the API.", M.QUOTA),
    (402, "", "Insufficient Balance", M.QUOTA),
    (403, "", "insufficient credits", M.QUOTA),
    (404, "api_error", 'model "qwen9" not found, try pulling it first', M.MODEL),
    (400, "model_decommissioned", "The model `x` has been decommissioned.", M.MODEL),
    (404, "DeploymentNotFound", "The API deployment for this resource does not exist.", M.MODEL),
    (400, "", "x/y is not a valid model ID", M.MODEL),
    (404, "NotFoundError", "The model `x` does not exist.", M.MODEL),
    (400, "context_length_exceeded", "Please reduce.", M.PROMPT_TOO_LARGE),
    (400, "BadRequestError", "This model's maximum context length is 4096 tokens.",
     M.PROMPT_TOO_LARGE),
    (400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum",
     M.PROMPT_TOO_LARGE),
    (400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum of tokens (8).",
     M.PROMPT_TOO_LARGE),
    (422, "validation", "`inputs` tokens + `max_new_tokens` must be <= 2048", M.PROMPT_TOO_LARGE),
    (413, "rate_limit_exceeded", "Request too large for model `x`: Limit 6000, Requested 6294.",
     M.PROMPT_TOO_LARGE),
    (429, "tokens", "Request too large for gpt-4 on tokens per min", M.PROMPT_TOO_LARGE),
    (400, "exceed_context_size_error", "the request exceeds it", M.PROMPT_TOO_LARGE),
    (400, "content_filter", "The response was filtered", M.FILTERED),
    (403, "", 'x requires moderation on y. Your input was flagged for "violence".', M.FILTERED),
    (400, "", "Your request was rejected by our safety system.", M.FILTERED),
    (400, "json_validate_failed", "Failed to generate JSON.", M.UNUSABLE_TEXT),
    (400, "", "Unsupported value: 'temperature' does not support 0.8.", M.OTHER),
    (400, "", "messages: roles must alternate", M.OTHER),
    (429, "rate_limit_exceeded", "Rate limit reached for x: please try again in 1s.", M.OTHER),
    (429, "", "Rate limit reached on tokens per min (TPM): Limit 10000, Used 9999.", M.OTHER),
    (500, "", "The server had an error.", M.OTHER),
    (503, "", "The model is overloaded. Please try again later.", M.OTHER),
    (404, "", "Not Found", M.OTHER),
]  # fmt: skip


@pytest.mark.parametrize(("status", "code", "message", "meaning"), CASES)
def test_an_error_means(status: int, code: str, message: str, meaning: ErrorMeaning) -> None:
    failure = Failure(status=status, code=code, message=message)
    assert meaning_of(failure, has_answered=True) is meaning


@pytest.mark.parametrize(
    ("status", "first", "later"),
    [
        (403, M.KEY, M.FILTERED),
        (404, M.ADDRESS, M.OTHER),
        (405, M.ADDRESS, M.OTHER),
        (307, M.REDIRECT, M.REDIRECT),
        (401, M.KEY, M.KEY),
        (400, M.OTHER, M.OTHER),
    ],
)
def test_an_answer_before_it_makes_it_one_prompts(
    status: int, first: ErrorMeaning, later: ErrorMeaning
) -> None:
    failure = Failure(status=status, code="", message="No.")
    assert meaning_of(failure, has_answered=False) is first
    assert meaning_of(failure, has_answered=True) is later
