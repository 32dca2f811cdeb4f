"""Turns: the newest job of a visitor, one after the other, in a queue that ends."""

import asyncio
import threading

import pytest

from modelzoo.app import jobs
from modelzoo.app.jobs import BusyError, Jobs, ReplacedError


@pytest.fixture
def queue():
    made = Jobs()
    yield made
    made.close()


def blocked(queue, body):
    """Runs `body(queue)` while one job keeps the slow worker busy."""

    async def main():
        release = threading.Event()
        held = asyncio.create_task(queue.run("other", "slow", release.wait))
        await asyncio.sleep(0)
        try:
            return await body(queue, release)
        finally:
            release.set()
            await held

    return asyncio.run(main())


def test_a_newer_question_takes_the_place_of_one_that_waits(queue):
    async def body(queue, release):
        old = asyncio.create_task(queue.run("me", "slow", lambda: "old"))
        await asyncio.sleep(0)
        new = asyncio.create_task(queue.run("me", "slow", lambda: "new"))
        with pytest.raises(ReplacedError):
            await old
        release.set()
        return await new

    assert blocked(queue, body) == "new"


def test_visitors_do_not_replace_each_other(queue):
    async def body(queue, release):
        tasks = [asyncio.create_task(queue.run(who, "slow", who.upper)) for who in ("a", "b")]
        await asyncio.sleep(0)
        release.set()
        return await asyncio.gather(*tasks)

    assert blocked(queue, body) == ["A", "B"]


def test_what_follows_a_click_does_not_wait_for_long_work(queue):
    async def body(queue, release):
        return await asyncio.wait_for(queue.run("me", "quick", lambda: 1, quick=True), timeout=30)

    assert blocked(queue, body) == 1


def test_a_full_queue_says_so_and_empties(queue, monkeypatch):
    monkeypatch.setattr(jobs, "WAITING", 2)

    async def body(queue, release):
        waiting = asyncio.create_task(queue.run("a", "slow", lambda: 1))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await queue.run("b", "slow", lambda: 2)
        release.set()
        await waiting
        return await queue.run("b", "slow", lambda: 2)

    assert blocked(queue, body) == 2


def test_an_error_of_the_work_is_the_visitors(queue):
    def work():
        raise ValueError("sequence: wrong")

    with pytest.raises(ValueError, match="sequence: wrong"):
        asyncio.run(queue.run("me", "slow", work))
