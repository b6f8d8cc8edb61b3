"""Draw the scenes with accidents: docs/images/accidents.png.

Run from the repository root after changing one of them.
"""

from pathlib import Path

import cv2
import numpy as np

from vpg_ros.learning.distributional.matrix import FAMILIES
from vpg_ros.sim import scenes
from vpg_ros.sim.camera import OrthoCamera
from vpg_ros.sim.world import World
from vpg_ros.viz.overlay import Picture, colour_picture, contact_sheet, titled

PATH = Path("docs/images/accidents.png")


def draw(world: World, name: str, objects: int) -> Picture:
    """A table of the family from above, under its name."""
    world.reset(0)
    scenes.build(world, name, objects)
    picture = colour_picture(OrthoCamera(world).read())
    framed = cv2.copyMakeBorder(picture[::2, ::2], 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(90,) * 3)
    return titled(np.ascontiguousarray(framed), name)


def main() -> None:
    """Write the sheet."""
    world = World()
    pictures = [draw(world, name, objects) for name, objects in FAMILIES.items()]
    sheet = np.ascontiguousarray(contact_sheet(pictures, len(pictures))[..., ::-1])
    cv2.imwrite(str(PATH), sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main()
