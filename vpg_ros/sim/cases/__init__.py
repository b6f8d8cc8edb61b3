"""Test cases: arrangements of objects read from text files, the original's format.

A case is placed as it is or jittered; ``scenes/challenging/`` holds the ones that come along.
"""

from vpg_ros.sim.cases.case import Case
from vpg_ros.sim.cases.reader import challenging, load, load_folder

__all__ = ["Case", "challenging", "load", "load_folder"]
