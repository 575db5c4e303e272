"""The newest frames, kept once for all readers. Each reader has a number in it, and no copy."""

from bisect import bisect_right
from collections.abc import Iterable

from app.services.live.frames import Frame, Key


class Ring:
    """The last `capacity` frames, numbered on and on. `floor`: all frames after that key are here."""

    def __init__(self, capacity: int, floor: Key = (0, 0)) -> None:
        self.capacity, self.floor, self.end = capacity, floor, 0
        self._frames: list[Frame] = []
        self._first = 0

    @property
    def start(self) -> int:
        """The number of the oldest frame."""
        return self.end - len(self._frames)

    def __getitem__(self, number: int) -> Frame:
        return self._frames[(number - self._first) % self.capacity]

    def forget(self, floor: Key) -> None:
        """Begin anew after a key that may be smaller than those so far; numbers go on."""
        self._frames, self._first, self.floor = [], self.end, floor

    def add(self, frames: Iterable[Frame]) -> None:
        """Append frames, whose keys grow; the oldest make room."""
        for frame in frames:
            place = (self.end - self._first) % self.capacity
            if len(self._frames) < self.capacity:
                self._frames.append(frame)
            else:
                self.floor = self._frames[place].key
                self._frames[place] = frame
            self.end += 1

    def after(self, key: Key) -> int:
        """The number of the first frame after a key."""
        return bisect_right(range(self.start, self.end), key, key=lambda n: self[n].key) + self.start
