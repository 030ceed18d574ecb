"""Groups of requests share a round; each gets its own answer, or is told to come again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from shoplake.collector import grouped
from shoplake.collector.grouped import Grouped, InThread
from shoplake.collector.memory import MemoryLimit, RateLimit
from shoplake.collector.refusal import Refusal


def test_what_comes_during_a_round_makes_the_next_one() -> None:
    rounds: list[list[int]] = []
    gate = threading.Event()

    def work(items: Sequence[int]) -> list[int]:
        rounds.append(list(items))
        gate.wait(5)
        return [item * 2 for item in items]

    async def main() -> list[int]:
        group: Grouped[int, int] = Grouped("doubling", InThread("doubling", work))
        group.start()
        first = asyncio.ensure_future(group.do(0, 1))
        while not rounds:
            await asyncio.sleep(0.01)
        rest = [asyncio.ensure_future(group.do(n, 1)) for n in range(1, 50)]
        await asyncio.sleep(0.05)
        gate.set()
        found = await asyncio.gather(first, *rest)
        await group.stop()
        return list(found)

    assert asyncio.run(main()) == [n * 2 for n in range(50)]
    assert rounds == [[0], list(range(1, 50))]


def test_no_item_is_forgotten_however_they_come() -> None:
    async def one_after_another(group: Grouped[int, int], first: int) -> list[int]:
        found = []
        for number in range(first, first + 200):
            found.append(await group.do(number, 1))
            await asyncio.sleep(0.001 if number % 7 == 0 else 0)
        return found

    async def main() -> list[list[int]]:
        group: Grouped[int, int] = Grouped("copying", InThread("copying", list))
        group.start()
        found = await asyncio.wait_for(asyncio.gather(*(one_after_another(group, n * 200) for n in range(8))), 60)
        await group.stop()
        return found

    assert [n for found in asyncio.run(main()) for n in found] == list(range(1600))


def test_a_round_that_fails_refuses_its_requests_and_the_next_one_goes_on() -> None:
    def work(items: Sequence[int]) -> list[int]:
        if 13 in items:
            raise OSError("the disk is on fire")
        return list(items)

    async def main() -> None:
        group: Grouped[int, int] = Grouped("copying", InThread("copying", work))
        group.start()
        with pytest.raises(Refusal) as refused:
            await group.do(13, 1)
        assert refused.value.status == 503
        assert b"fire" not in refused.value.body()
        assert await group.do(7, 1) == 7
        mixed = await asyncio.gather(*(group.do(n, 1) for n in (7, 13, 8)), return_exceptions=True)
        assert [m for m in mixed if not isinstance(m, Refusal)] == [7, 8]
        await group.stop()
        with pytest.raises(Refusal):
            await group.do(8, 1)

    asyncio.run(main())


def test_a_disk_without_end_does_not_keep_requests_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouped, "PATIENCE_SECONDS", 0.2)
    gate = threading.Event()

    def work(items: Sequence[int]) -> list[int]:
        gate.wait(20)
        return list(items)

    async def main() -> None:
        group: Grouped[int, int] = Grouped("waiting", InThread("waiting", work))
        group.start()
        running = asyncio.ensure_future(group.do(1, 1))
        await asyncio.sleep(0.1)
        with pytest.raises(Refusal) as refused:
            await asyncio.wait_for(group.do(2, 1), 10)
        assert refused.value.status == 503
        with pytest.raises(Refusal):
            await asyncio.wait_for(running, 10)
        gate.set()
        await group.stop()

    asyncio.run(main())


def test_the_loop_stands_still_for_quick_work_and_goes_on_beside_slow_work() -> None:
    gate, seen = threading.Event(), list[str]()

    def work(items: Sequence[float]) -> list[float]:
        gate.wait(items[0])
        return list(items)

    async def tick() -> None:
        seen.append("tick")

    async def main() -> None:
        thread: InThread[float, float] = InThread("waiting", work, stand_seconds=0.5)
        for name, seconds in (("quick", 0.01), ("slow", 5), ("after a slow one", 0.01), ("quick again", 0.01)):
            ticking = asyncio.create_task(tick())
            asyncio.get_running_loop().call_later(0, gate.set if seconds > 1 else gate.clear)
            assert await thread([seconds]) == [seconds]
            seen.append(name)
            await ticking
            gate.clear()
        await thread.close()

    asyncio.run(main())
    assert seen == ["quick", "tick", "tick", "slow", "tick", "after a slow one", "quick again", "tick"]


def test_memory_that_is_given_back_can_be_taken_again() -> None:
    memory = MemoryLimit(100)
    taken = memory.take(60)
    with pytest.raises(Refusal):
        memory.take(41)
    memory.give_back(taken)
    assert memory.take(100) == 100


def test_a_rate_holds_over_time_and_for_requests_larger_than_it() -> None:
    now = [0.0]
    rate = RateLimit(10, clock=lambda: now[0])
    rate.take(10)
    with pytest.raises(Refusal) as refused:
        rate.take(1)
    assert (refused.value.status, refused.value.retry_after) == (429, 1)
    now[0] = 1.0
    rate.take(30)
    for now[0] in (1.5, 2.5, 2.9):
        with pytest.raises(Refusal):
            rate.take(1)
    now[0] = 3.2
    rate.take(1)
