"""Running the event loop of a command so that Ctrl-C ends it for sure."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

GRACE_SECONDS = 3.0
INTERRUPTED = 130
T = TypeVar("T")


def run(work: Coroutine[Any, Any, T], loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None) -> T:
    """`asyncio.run`, but what does not heed Ctrl-C within seconds, or does not until the next one, is left behind.

    asyncpg waits for ever when it is cancelled amid many rows. Leaving is safe: the database rolls back, and the
    embedded one stops when its owner is gone.
    """
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(_interruptible(work))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)

    def interrupt() -> None:
        task.cancel()
        loop.add_signal_handler(signal.SIGINT, _leave)
        loop.call_later(GRACE_SECONDS, _leave)

    loop.add_signal_handler(signal.SIGINT, interrupt)
    return await task


def _leave() -> None:
    os._exit(INTERRUPTED)
