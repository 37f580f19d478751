"""Error bodies of real servers: one line, a code, a hint."""

from typing import Any

import pytest

from vcgen.engine.chat import Failure
from vcgen.engine.wire.errors import embedded_status, failure_of


def failure(status: int, body: bytes, **header: str) -> Failure:
    return failure_of(status, {name.replace("_", "-"): text for name, text in header.items()}, body)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"error": {"message": "No.", "type": "t", "code": "c"}}', "c", "No."),
        (
            b'{"error": {"message": "No.", "type": "NotFoundError", "code": 404}}',
            "NotFoundError",
            "No.",
        ),
        (b'{"object": "error", "message": "No.", "type": "NotFoundError"}', "NotFoundError", "No."),
        (b'{"error": "No."}', "", "No."),
        (b'{"error": {"type": "t"}}', "t", "t"),
        (b'{"error": {"message": "No.", "code": 400, "status": "NOT_OK"}}', "NOT_OK", "No."),
        (b'[{"error": {"message": "No.", "status": "NOT_OK"}}]', "NOT_OK", "No."),
        (b'{"detail": "Not Found"}', "", "Not Found"),
        (
            b'{"detail": [{"loc": ["body", "model"], "msg": "No."}, {"msg": "Nor."}]}',
            "",
            "body.model: No.; Nor.",
        ),
        (b'{"message": "No."}', "", "No."),
        (b'{"msg": "No."}', "", "No."),
        (b"[]", "", "'[]'"),
        (b"two\nlines", "", "'two\\nlines'"),
        (b"", "", "empty"),
    ],
)
def test_an_error_keeps_its_code_and_one_line(body: bytes, code: str, message: str) -> None:
    found = failure(404, body)
    assert (found.code, found.message) == (code, message)


def test_an_error_nested_too_deeply_to_print_is_a_failure() -> None:
    assert failure(400, b'{"error":' + b"[" * 1010 + b"]" * 1010 + b"}").status == 400


def test_the_endpoint_says_whether_to_retry() -> None:
    assert failure(409, b"").should_retry is None
    assert failure(409, b"", x_should_retry="true").should_retry is True
    assert failure(409, b"", x_should_retry="false").should_retry is False


def test_an_error_names_the_field_it_objects_to() -> None:
    body = b'{"error": {"message": "No.", "param": "temperature"}}'
    assert failure(400, body).param == "temperature"
    assert failure(400, b'{"error": {"message": "No.", "param": null}}').param == ""


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 429}, 429),
        ({"code": "503"}, 503),
        ({"code": 200}, None),
        ({"code": "rate_limit_exceeded"}, None),
        ({"code": True}, None),
        ({"code": 4290}, None),
        ("429", None),
        (None, None),
    ],
)
def test_a_code_is_a_status_if_it_is_one_of_a_failure(error: Any, status: int | None) -> None:
    assert embedded_status(error) == status
