"""An answer leaves in one write, and nothing that is written is held for longer than a turn of the event loop."""

from __future__ import annotations

import asyncio
from typing import cast

from shoplake.collector.one_write import OneWrite


class Recorder:
    """Notes what a transport is told to do."""

    def __init__(self) -> None:
        self.done: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def close(self) -> None:
        self.done.append("closed")

    def is_closing(self) -> bool:
        return "closed" in self.done


def written(*parts: bytes, turns: int, is_closed: bool = False) -> list[bytes | str]:
    async def main() -> list[bytes | str]:
        recorder = Recorder()
        transport = OneWrite(cast("asyncio.Transport", recorder))
        for part in parts:
            transport.write(part)
            for _ in range(turns):
                await asyncio.sleep(0)
        if is_closed:
            transport.close()
        assert transport.is_closing() == is_closed
        for _ in range(2):
            await asyncio.sleep(0)
        return recorder.done

    return asyncio.run(main())


def test_a_head_and_its_body_are_one_write() -> None:
    assert written(b"head", b"body", turns=0) == [b"headbody"]


def test_a_body_without_bytes_lets_its_head_go() -> None:
    assert written(b"head", b"", turns=0) == [b"head"]


def test_a_head_whose_body_comes_later_does_not_wait_for_it() -> None:
    assert written(b"head", b"first", b"second", turns=1) == [b"head", b"first", b"second"]


def test_what_is_written_stays_in_order() -> None:
    parts = [b"%d," % n for n in range(7)]
    assert b"".join(cast("list[bytes]", written(*parts, turns=0))) == b"".join(parts)


def test_what_is_held_leaves_before_the_connection_closes() -> None:
    assert written(b"head", turns=0, is_closed=True) == [b"head", "closed"]
