"""Where the synchronous services run: a bounded pool of threads, and a bounded queue before it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import copy_context
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import ParamSpec, TypeVar

from certworker.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

_WAITING_PER_THREAD = 32
_LONGEST_WAIT_SECONDS = 5.0
"""Whoever waited longer for a thread is told so: behind what hangs, the rest must not hang as well."""
_RETRY_AFTER = timedelta(seconds=1)


class Threads:
    """Runs services beside the event loop, so that a slow one holds nobody up. Used from one event loop."""

    def __init__(self, count: int, now: Callable[[], float] = monotonic) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="api")
        self._most = count * _WAITING_PER_THREAD
        self._now = now
        self._taken = 0

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function` in a thread, in the context of who asks.

        Raises Unavailable where too many requests wait already, or this one did for too long.
        """
        if self._taken >= self._most:
            raise Unavailable("The service is busy. Try again later.", _RETRY_AFTER)
        self._taken += 1
        # counted until the thread is done: a client that has gone away does not free it
        future = asyncio.get_running_loop().run_in_executor(
            self._pool, partial(self._in_time, self._now(), partial(copy_context().run, function, *args, **kwargs))
        )
        future.add_done_callback(self._free)
        return await asyncio.shield(future)

    def _in_time(self, asked: float, work: Callable[[], T]) -> T:
        if self._now() - asked > _LONGEST_WAIT_SECONDS:
            raise Unavailable("The service is busy. Try again later.", _RETRY_AFTER)
        return work()

    def _free(self, future: asyncio.Future[T]) -> None:
        self._taken -= 1
        if not future.cancelled():
            future.exception()  # told to whoever still waits; nobody may, after a client has gone away

    def close(self) -> None:
        """Wait for what runs, and stop."""
        self._pool.shutdown(cancel_futures=True)


def closing(*pools: Threads) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """Make the lifespan of an app that ends its pools of threads when it stops."""

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        yield
        for threads in pools:
            threads.close()

    return lifespan
