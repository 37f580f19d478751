"""HTTP/1.1 as bytes: however a reply is cut into pieces, and whatever comes instead of one."""

import gzip
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given, strategies as st

from vcgen.engine.transport import http1
from vcgen.engine.transport.base import Reply
from vcgen.engine.transport.http1 import ReplyReader, address, post_head
from vcgen.errors import ConnectionLost, ReplyTooLarge, TransportError, UsageError

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED += b"2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nt: 1\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\nLink: x\r\n\r\n" + PLAIN


def read(pieces: Iterable[bytes]) -> tuple[Reply, bool]:
    reader = ReplyReader()
    for piece in pieces:
        if (reply := reader.feed(piece)) is not None:
            return reply, reader.keep_alive
    return reader.end(), False


@given(st.sampled_from([PLAIN, CHUNKED, INTERIM]), st.lists(st.integers(0, 200), max_size=8))
def test_a_reply_is_the_same_however_it_is_cut(sent: bytes, cuts: list[int]) -> None:
    at = [0, *sorted(cuts), len(sent)]
    reply, keep_alive = read(sent[a:b] for a, b in pairwise(at) if a < b)
    assert (reply.status, reply.body, keep_alive) == (200, b"hello", True)
    assert "link" not in reply.headers


def test_one_reader_reads_one_reply_after_another() -> None:
    reader = ReplyReader()
    for sent in (PLAIN, CHUNKED, INTERIM, PLAIN):
        reader.expect()
        assert not reader.begun
        reply = reader.feed(sent)
        assert reply is not None
        assert reply.body == b"hello"


@pytest.mark.parametrize("sent", [PLAIN, CHUNKED, INTERIM], ids=["plain", "chunked", "interim"])
def test_no_reply_is_whole_before_its_last_byte(sent: bytes) -> None:
    for length in range(len(sent)):
        with pytest.raises(ConnectionLost):
            read([sent[:length]])


def test_what_follows_the_body_changes_no_header() -> None:
    trailers = b"0\r\nt: 2\r\ncontent-encoding: gzip\r\n"
    reply, _ = read([CHUNKED.replace(b"0\r\n", trailers).replace(b"200 OK", b"200 OK\r\nT: 1")])
    assert (reply.body, reply.headers["t"]) == (b"hello", "1")
    assert "content-encoding" not in reply.headers


@given(st.binary(max_size=400))
@example(PLAIN[:-1])
@example(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello")
def test_whatever_is_no_reply_is_a_transport_error(sent: bytes) -> None:
    with pytest.raises(TransportError):
        read([sent])


@pytest.mark.parametrize("endless", [b"a", b"a: b\r\n"], ids=["one header", "headers"])
def test_a_head_without_end_is_refused(endless: bytes) -> None:
    pieces = [b"HTTP/1.1 200 OK\r\n", *[endless * 100] * http1.MAX_HEAD_BYTES]
    with pytest.raises(ReplyTooLarge):
        read(pieces)


@pytest.mark.parametrize(
    ("packing", "body"),
    [
        ("br", b"x"),
        ("gzip", b"no gzip"),
        ("gzip", gzip.compress(b"hello" * 99, mtime=0)[:-9]),
        ("gzip", gzip.compress(b"hello" * 99, mtime=0) + b"more"),
    ],
    ids=["unknown packing", "no gzip", "cut short", "more than gzip"],
)
def test_a_body_that_cannot_be_unpacked_is_no_reply(packing: str, body: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {packing}\r\nContent-Length: {len(body)}\r\n\r\n"
    with pytest.raises(ConnectionLost):
        read([head.encode() + body])


@pytest.mark.parametrize(
    ("url", "target", "host"),
    [
        ("http://127.0.0.1:8000/v1/chat", "/v1/chat", "127.0.0.1:8000"),
        ("https://api.example.com/v1", "/v1", "api.example.com"),
        ("http://[::1]:80/a b?x=1&y=\u00e9", "/a%20b?x=1&y=%C3%A9", "[::1]"),
        ("https://caf\u00e9.example", "/", "xn--caf-dma.example"),
    ],
)
def test_the_head_names_target_and_host(url: str, target: str, host: str) -> None:
    lines = post_head(url, {"authorization": "Bearer k"}).decode().split("\r\n")
    assert lines[0] == f"POST {target} HTTP/1.1"
    assert f"host: {host}" in lines
    assert "authorization: Bearer k" in lines
    assert lines[-1] == "content-length: "


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\0", "\u00e9"])
def test_a_header_that_would_break_its_line_is_wrong_use(value: str) -> None:
    with pytest.raises(UsageError, match="'x-name'"):
        post_head("http://127.0.0.1", {"x-name": value})


@pytest.mark.parametrize("host", ["a..b", "a" * 64])
def test_a_host_that_is_no_name_is_wrong_use(host: str) -> None:
    with pytest.raises(UsageError, match=host.replace(".", r"\.")):
        address(f"http://{host}/v1")
