"""HTTP/1.1 (RFC 9112) as bytes: the head of a POST, and a reader of replies. No socket here.

Replies are parsed strictly by llhttp (https://llhttp.org), the parser of Node.js.
"""

import zlib
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from vcgen.engine.transport.base import Reply
from vcgen.errors import ConnectionLost, ReplyTooLarge, UsageError

# Texts are used up to 262,144 characters: 1.5 MB where each is written as \\uXXXX. Thinking of
# 128,000 tokens, written so and in two fields, as OpenRouter does, takes some 6 MB.
MAX_REPLY_BYTES = 8 << 20
MAX_HEAD_BYTES = 1 << 16
_HTTP, _HTTPS = 80, 443
_LETTERS = "/?%:@!$&'()*+,;=-._~"  # of paths and queries, RFC 3986, those quoted before included
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class Address(NamedTuple):
    """Where a URL leads."""

    host: str
    port: int
    tls: bool


def address(url: str) -> Address:
    """The host, port and scheme of an http or https URL.

    Raises:
        UsageError: the host name is invalid.
    """
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    try:
        host = (parts.hostname or "").encode("idna").decode()
    except UnicodeError as error:
        raise UsageError(f"{parts.hostname!r} is not a host name") from error
    return Address(host, parts.port or (_HTTPS if tls else _HTTP), tls)


def post_head(url: str, headers: Mapping[str, str]) -> bytes:
    """The head of a POST up to and including `content-length: `.

    Raises:
        UsageError: the host name is invalid, or a header would break its line.
    """
    parts, (host, port, tls) = urlsplit(url), address(url)
    target = quote(parts.path or "/", _LETTERS)
    if parts.query:
        target += f"?{quote(parts.query, _LETTERS)}"
    named = f"[{host}]" if ":" in host else host
    if port != (_HTTPS if tls else _HTTP):
        named += f":{port}"
    # Asked for plain: a reply is a few kilobytes, and to unpack it costs more than to receive it.
    sent = {"host": named, "accept": "*/*", "accept-encoding": "identity", **headers}
    require_headers(sent)
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    return "\r\n".join([*lines, "content-length: "]).encode("ascii")


def require_headers(headers: Mapping[str, str]) -> None:
    """Raises UsageError if a header would break its line; the value, often a key, is not shown."""
    for name, value in headers.items():
        if not (name + value).isascii() or not (name + value).isprintable():
            raise UsageError(f"the header {name!r} has characters no HTTP header can carry")


class ReplyReader:
    """Reads the replies of one connection, one after another: `expect`, then `feed` or `end`.

    Attributes:
        received_bytes: of the expected reply.
        begun: a byte of the expected reply has come.
        keep_alive: after a whole reply: the connection may carry another request.
    """

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self.expect()

    def expect(self) -> None:
        """Forget the last reply: the next bytes belong to a new one."""
        self.begun = self.keep_alive = self._has_head = False
        self._status = 0
        self.received_bytes = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()

    def feed(self, data: bytes) -> Reply | None:
        """Feed received bytes; returns the reply once it is whole.

        Raises:
            ConnectionLost: invalid HTTP, or an encoding that was not accepted.
            ReplyTooLarge: it exceeds `MAX_REPLY_BYTES`, packed or unpacked.
        """
        self.begun = True
        self.received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self.keep_alive = False
            if not self._status:  # bytes after a whole reply are dropped
                raise ConnectionLost(f"the server does not speak HTTP/1.1: {error}") from error
        body_bytes = MAX_REPLY_BYTES if self._has_head else 0
        if self.received_bytes > body_bytes + MAX_HEAD_BYTES:
            raise too_large()
        return self._reply() if self._status else None

    def end(self) -> Reply:
        """The server has closed: the reply, if closing was what ended it (RFC 9112, 6.3).

        Raises:
            ConnectionLost: it was not.
        """
        framing = {b"content-length", b"transfer-encoding"}
        if not self._has_head or framing & {name.lower() for name, _ in self._headers}:
            raise ConnectionLost("the server closed the connection before the reply was whole")
        self._status = self._parser.get_status_code()
        return self._reply()

    def drop_body(self) -> None:
        """Free the memory of the last reply, which an idle connection would keep."""
        self._body = bytearray()

    def on_message_begin(self) -> None:
        if self._status:
            raise ConnectionLost("a second reply to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        # Trailers must not change the head (RFC 9110, 6.5.1).
        if not self._has_head:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._has_head = True

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # an interim reply; the reply itself is still to come
            self._has_head = False
            self._headers.clear()
            return
        self._status = status
        self.keep_alive = self._parser.should_keep_alive()

    def _reply(self) -> Reply:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in self._headers
        }
        body = bytes(self._body)
        if len(body) > MAX_REPLY_BYTES:
            raise too_large()
        if body and (packing := headers.get("content-encoding")):
            body = unpacked(body, packing)
        return Reply(self._status, headers, body)


def unpacked(body: bytes, packing: str) -> bytes:
    """A body without its `content-encoding`.

    Raises:
        ConnectionLost: the encoding was not accepted, or the body is cut short.
        ReplyTooLarge: it exceeds `MAX_REPLY_BYTES`.
    """
    if packing.lower() == "identity":
        return body
    if packing.lower() not in {"gzip", "x-gzip", "deflate"}:
        raise ConnectionLost(f"the reply is packed as {packing[:40]!r}, which was not accepted")
    unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        plain = unpacker.decompress(body, MAX_REPLY_BYTES + 1)
    except zlib.error as error:
        raise ConnectionLost(f"the reply is not {packing}: {error}") from error
    if len(plain) > MAX_REPLY_BYTES:
        raise too_large()
    if not unpacker.eof or unpacker.unused_data:
        raise ConnectionLost(f"the reply does not end where its {packing} does")
    return plain


def too_large() -> ReplyTooLarge:
    """The error of a reply over the cap."""
    return ReplyTooLarge(f"the reply is larger than {MAX_REPLY_BYTES} bytes")
