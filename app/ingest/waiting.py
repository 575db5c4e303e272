"""That a connection is over, and how long to wait until the next: for who is not there, or does not let us in."""

import random

FIRST_WAIT, LONGEST_WAIT, REFUSED_WAIT, THROTTLED_WAIT = 1.0, 60.0, 300.0, 10.0
DOUBLINGS = 6


class Over(Exception):
    """A connection is over: open it anew. The message says why."""


class Throttled(Over):
    """It is over because we ask too much."""


def back_off(failures: int, refused: bool, throttled: bool = False) -> float:
    """Seconds until the next try: at random up to a bound that doubles each time; long where we are not let in.

    Who is told to ask less waits for one half of a longer bound, at least.
    """
    if throttled:
        bound = min(LONGEST_WAIT, THROTTLED_WAIT * 2 ** min(failures, DOUBLINGS))
        return random.uniform(bound / 2, bound)  # noqa: S311
    if refused:
        return random.uniform(REFUSED_WAIT / 2, REFUSED_WAIT)  # noqa: S311 - spreads callers, guards nothing
    return random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures, DOUBLINGS)))  # noqa: S311
