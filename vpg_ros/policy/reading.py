"""Reading maps from features: a value head under a risk measure, where it is wanted."""

from collections.abc import Callable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from vpg_ros.errors import require
from vpg_ros.policy.canvas import Canvas
from vpg_ros.policy.heads import DistributionalHead, ValueHead
from vpg_ros.policy.heads.categorical import CategoricalHead
from vpg_ros.policy.risk import Mean, RiskMeasure

Wanted = Callable[[], NDArray[np.bool_]]  # makes a mask: canvas × output × rows × columns
_CHUNK = 4096  # cells at a time, so that their outcomes stay in the processor's cache


def check_measure(head: ValueHead, measure: RiskMeasure) -> None:
    """Raise PARAMETER_INVALID unless the head knows enough for the measure."""
    require(
        isinstance(head, DistributionalHead) or isinstance(measure, Mean),
        f"risk is {measure.name!r}; these weights have a scalar head, which knows the mean alone: "
        "use weights that were trained with another head",
    )


def read(
    head: ValueHead, features: Tensor, measure: RiskMeasure, wanted: Wanted | None = None
) -> Tensor:
    """The measure at every cell, canvas × output × rows × columns float32.

    features: canvas × F × rows × columns. wanted: where it is needed, everywhere if None;
    elsewhere it may be 0. Asked for only where it saves something.
    """
    check_measure(head, measure)
    if not isinstance(head, DistributionalHead):
        return head.mean(head(features).float())
    folded = head.folded(measure)
    if folded is not None:
        weight, bias = folded
        return functional.conv2d(features.float(), weight[..., None, None], bias)
    return _expanded(head, features, measure, wanted)


def averages_probabilities(head: ValueHead, measure: RiskMeasure) -> bool:
    """Whether a measure of averaged returns is something else than the average of the measure.

    Of quantiles the averages are quantiles again, of which distortions are the same either way, and
    mean − alpha · deviation is a little less as an average; the mean is the same of any.
    """
    return isinstance(head, CategoricalHead) and not isinstance(measure, Mean)


def _expanded(
    head: DistributionalHead, features: Tensor, measure: RiskMeasure, wanted: Wanted | None
) -> Tensor:
    """The measure where wanted, of numbers that are affine in the features, some cells at a time.

    A row for each number, so that what is done to all cells is done to neighbours.
    """
    canvases, _, rows, columns = features.shape
    result = torch.zeros(head.outputs, canvases * rows * columns, device=features.device)
    points = features.permute(0, 2, 3, 1).flatten(0, 2)  # a view, as channels come last
    mask = wanted() if wanted else np.ones((canvases, head.outputs, rows, columns), np.bool_)
    (weight, bias), measured = head.expanded(measure)
    for output in range(head.outputs):
        cells = torch.from_numpy(np.flatnonzero(mask[:, output])).to(points.device)
        for part in torch.split(cells, _CHUNK):
            some = points.index_select(0, part).float()
            numbers = (weight[output] @ some.T).add_(bias[output, :, None])
            result[output, part] = measured(numbers.T)
    return result.reshape(-1, canvases, rows, columns).transpose(0, 1)


def cells_behind(
    canvas: Canvas, cell: int, mask: NDArray[np.bool_], around: int = 1
) -> NDArray[np.bool_]:
    """At least the cells of a canvas that values at the heightmap's masked cells are made of.

    around: cells a side, odd, that a value is the mean of. ``restore`` makes one of cells that lie
    less than √2 away, so that the heightmap's cell nearest to one of those, or at the edge where it
    lies beyond, is next to one of these.
    """
    square = np.ones((around + 2, around + 2), np.uint8)
    wide = cv2.dilate(mask.astype(np.uint8), square)
    size, flags = (canvas.columns, canvas.rows), cv2.INTER_NEAREST
    edge = cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(wide, canvas.cells_from(cell), size, None, flags, edge) > 0)
