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
    shortest, longest = 0.0, min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures, DOUBLINGS))
    if throttled:
        longest = min(LONGEST_WAIT, THROTTLED_WAIT * 2 ** min(failures, DOUBLINGS))
        shortest = longest / 2
    elif refused:
        shortest, longest = REFUSED_WAIT / 2, REFUSED_WAIT
    return random.uniform(shortest, longest)  # noqa: S311 - spreads callers, guards nothing
