"""Draw the contact sheet of the challenging cases: docs/images/challenging.png.

Run from the repository root after changing an arrangement.
"""

from pathlib import Path

import cv2
import numpy as np

from vpg_ros.sim import cases
from vpg_ros.sim.camera import OrthoCamera
from vpg_ros.sim.world import World
from vpg_ros.viz.overlay import Picture, colour_picture, contact_sheet, titled

PATH = Path("docs/images/challenging.png")
COLUMNS = 4
CROP = 64  # pixels cut off at every side of the picture, where no case reaches


def draw(world: World, case: cases.Case) -> Picture:
    """The case from above, under its name."""
    world.reset(0)
    case.build(world, jitter=False)
    picture = colour_picture(OrthoCamera(world).read())
    return titled(np.ascontiguousarray(picture[CROP:-CROP, CROP:-CROP]), case.name)


def main() -> None:
    """Write the sheet."""
    world = World()
    pictures = [draw(world, case) for case in cases.challenging()]
    sheet = np.ascontiguousarray(contact_sheet(pictures, COLUMNS)[..., ::-1])
    PATH.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(PATH), sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
