"""Request bodies: decompressed within a limit, and cut into events, one JSON object a line."""

from __future__ import annotations

import zlib

from msgspec import Struct

from shoplake.collector.refusal import Refusal

SPACE = b" \t\r\n"
BOM = b"\xef\xbb\xbf"
STEP = 1 << 20
FIELDS_PER_EVENT = 64
"""A body with more commas than this for each allowed event is not looked into."""


class Events(Struct, gc=False):
    """The events of a body."""

    lines: bytes
    """One a line, without blank lines."""
    count: int


def decompress(data: bytes, encoding: str, limit: int) -> bytes:
    """Give the content of a body; a bomb is noticed at ``limit`` bytes, before there is more of it.

    Raises:
        Refusal: an unknown encoding, a damaged body, or more than ``limit`` bytes.

    """
    if encoding in {"", "identity"}:
        clear = data
    elif encoding in {"gzip", "x-gzip"}:
        clear = _gunzip(data, limit)
    elif encoding == "zstd":
        clear = _unzstd(data, limit)
    else:
        raise Refusal(415, "encoding", f"The encoding {encoding[:40]!r} is not known.", "Use gzip, zstd or none.")
    if len(clear) > limit:
        raise too_large(limit)
    return clear


def too_large(limit: int) -> Refusal:
    """Refuse a body for its size."""
    return Refusal(413, "too_large", f"The body is larger than {limit} bytes.", "Send fewer events in a request.")


def _gunzip(data: bytes, limit: int) -> bytes:
    parts, size = list[bytes](), 0
    try:
        while data:
            stream = zlib.decompressobj(wbits=31)
            while not stream.eof:
                part = stream.decompress(data, STEP)
                data = stream.unconsumed_tail
                if not part and not data and not stream.eof:
                    raise _damaged("gzip")
                size += len(part)
                if size > limit:
                    raise too_large(limit)
                parts.append(part)
            data = stream.unused_data
    except zlib.error:
        raise _damaged("gzip") from None
    return b"".join(parts)


def _unzstd(data: bytes, limit: int) -> bytes:
    import pyarrow as pa

    # Arrow's reader gives only as much as is asked for, and notices that a body is cut off.
    try:
        with pa.input_stream(pa.BufferReader(data), compression="zstd") as stream:
            clear: bytes = stream.read(limit + 1)
    except OSError:
        raise _damaged("zstd") from None
    return clear


def _damaged(encoding: str) -> Refusal:
    return Refusal(400, "body", f"The {encoding} body is damaged or cut off.", "Send it again.")


def cut(body: bytes, most_events: int) -> Events:
    """Cut a JSON object, a JSON array or NDJSON into events.

    Raises:
        Refusal: the body is empty or no JSON at all, or holds more than ``most_events`` events.

    """
    body = body.removeprefix(BOM).strip(SPACE)
    if body.startswith(b"["):
        return _array(body, most_events)
    if not body.startswith(b"{"):
        what = "is empty" if not body else "does not begin with '{' or '['"
        raise Refusal(400, "body", f"The body {what}.", "Send a JSON object, a JSON array, or one JSON object a line.")
    if b"\n" not in body and b"\r" not in body:
        return Events(body, 1)
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    breaks = body.count(b"\n")
    if body.count(b"}\n{") != breaks:
        body, breaks = _lines(body)
    _limit(breaks + 1, most_events)
    return Events(body, breaks + 1)


def _lines(body: bytes) -> tuple[bytes, int]:
    """Give a body that is not simply one object a line: an object written over several lines, or odd lines."""
    import msgspec

    try:
        msgspec.json.decode(body, type=msgspec.Raw)
        msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        # A line break within JSON stands between values, never inside one.
        return body.replace(b"\n", b" "), 0
    except (msgspec.DecodeError, RecursionError):
        kept = b"\n".join(line for line in body.split(b"\n") if line.strip(SPACE))
        return kept, kept.count(b"\n")


def _array(body: bytes, most_events: int) -> Events:
    import msgspec

    if body.count(b",") > FIELDS_PER_EVENT * most_events:
        raise _too_many(most_events)
    try:
        items = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        raise Refusal(400, "body", "The body is not valid JSON.", "Correct it, or send one event a line.") from None
    if not items:
        raise Refusal(400, "body", "The array holds no event.", "Send at least one event.")
    _limit(len(items), most_events)
    if b"\n" in body or b"\r" in body:
        return Events(b"\n".join(bytes(i).replace(b"\n", b" ").replace(b"\r", b" ") for i in items), len(items))
    return Events(b"\n".join(items), len(items))


def _limit(events: int, most_events: int) -> None:
    if events > most_events:
        raise _too_many(most_events)


def _too_many(most_events: int) -> Refusal:
    return Refusal(413, "too_many", f"The body holds more than {most_events} events.", "Send fewer in a request.")
