"""The pool of threads before the services."""

import asyncio
import threading

import pytest

from certworker.api.threads import Threads
from certworker.errors import Unavailable


def test_too_many_requests_are_sent_away() -> None:
    """The queue before the threads is bounded: who comes after is asked to come back, and the others are served."""

    async def story() -> None:
        threads, gate = Threads(1), threading.Event()
        waiting = [asyncio.create_task(threads.run(gate.wait, 10)) for _ in range(32)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="busy"):
            await threads.run(gate.wait, 10)
        gate.set()
        assert all(await asyncio.gather(*waiting))
        assert await threads.run(gate.wait, 10)
        threads.close()

    asyncio.run(story())


def test_a_client_that_goes_away_frees_nothing_before_its_time() -> None:
    """What runs in a thread goes on, and its end is counted once."""

    async def story() -> None:
        threads, gate = Threads(1), threading.Event()
        gone = asyncio.create_task(threads.run(gate.wait, 10))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        others = [asyncio.create_task(threads.run(gate.wait, 10)) for _ in range(31)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await threads.run(gate.wait, 10)
        gate.set()
        assert all(await asyncio.gather(*others))
        threads.close()

    asyncio.run(story())


def test_whoever_waited_too_long_is_told_so() -> None:
    """Behind what hangs, the rest gets an answer as soon as a thread is free, and is not begun."""

    async def story() -> None:
        time = [0.0]
        threads, gate = Threads(1, now=lambda: time[0]), threading.Event()
        running, begun = threading.Event(), threading.Event()

        def hang() -> bool:
            running.set()
            return gate.wait(10)

        first = asyncio.create_task(threads.run(hang))
        second = asyncio.create_task(threads.run(begun.set))
        await asyncio.to_thread(running.wait, 10)
        time[0] = 60.0
        gate.set()
        assert await first
        with pytest.raises(Unavailable, match="busy"):
            await second
        assert not begun.is_set()
        threads.close()

    asyncio.run(story())
