"""Who hears how long work goes on."""


class Watch:
    """Hears of the steps of an experiment; this one does nothing about it."""

    def begin(self, text: str, total: int) -> None:
        """A step begins, of ``total`` parts."""

    def advance(self, done: int) -> None:
        """So many of its parts are done."""
