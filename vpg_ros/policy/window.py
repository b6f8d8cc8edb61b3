"""Rectangles of cells, on a heightmap or on a canvas, and what lies behind one on the other."""

from dataclasses import dataclass, replace

import numpy as np

from vpg_ros.policy.canvas import Canvas

Shape = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """Rows from ``top`` to before ``bottom`` and columns from ``left`` to before ``right``."""

    top: int
    left: int
    bottom: int
    right: int

    @staticmethod
    def around(row: int, column: int, reach: int, shape: Shape) -> "Window":
        """All cells up to ``reach`` rows and columns away, of a grid of that shape."""
        return Window(row, column, row + 1, column + 1).grown(reach, shape)

    def grown(self, reach: int, shape: Shape) -> "Window":
        """Wider by ``reach`` cells on each side, as far as the grid goes."""
        rows, columns = shape
        low = (max(self.top - reach, 0), max(self.left - reach, 0))
        return Window(*low, min(self.bottom + reach, rows), min(self.right + reach, columns))

    @property
    def shape(self) -> Shape:
        """Rows and columns."""
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        """To take it out of an array of rows × columns."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def within(self, outer: "Window") -> "Window":
        """The same cells, counted from the first of a window around it."""
        top, left, (rows, columns) = self.top - outer.top, self.left - outer.left, self.shape
        return Window(top, left, top + rows, left + columns)

    def behind(self, canvas: Canvas, cell: int) -> "Window":
        """The cells of a canvas that ``restore`` makes values of this heightmap's window of."""
        x, y = (self.left, self.right - 1), (self.top, self.bottom - 1)
        corners = np.array([(i, j, 1) for i in x for j in y]).T
        columns, rows = canvas.cells_from(cell) @ corners
        # One at least: what lies beyond the canvas has none.
        top, left = (
            int(np.clip(np.floor(low.min()), 0, size - 1))
            for low, size in ((rows, canvas.rows), (columns, canvas.columns))
        )
        bottom, right = int(np.floor(rows.max())) + 2, int(np.floor(columns.max())) + 2
        end = np.clip((bottom, right), (top + 1, left + 1), (canvas.rows, canvas.columns))
        return Window(top, left, int(end[0]), int(end[1]))


def cut(canvas: Canvas, own: Window, seen: Window, cell: int) -> Canvas:
    """A canvas of the cells ``own`` alone, on a heightmap of ``seen`` alone."""
    rows, columns = own.shape
    return replace(
        canvas,
        row=canvas.row - seen.top * cell,
        column=canvas.column - seen.left * cell,
        rows=rows,
        columns=columns,
        anchor_row=canvas.anchor_row - own.top,
        anchor_column=canvas.anchor_column - own.left,
    )
