"""Who hears how long work goes on."""

from collections.abc import Callable
from itertools import count


class Watch:
    """Hears of the steps of an experiment; this one does nothing about it."""

    def begin(self, text: str, total: int) -> None:
        """A step begins, of ``total`` parts."""

    def advance(self, done: int) -> None:
        """So many of its parts are done."""

    def each(self, text: str, total: int) -> Callable[[object], None]:
        """Begin a step; what is returned hears of every part that is done, whatever it is."""
        self.begin(text, total)
        numbers = count(1)
        return lambda part: self.advance(next(numbers))
