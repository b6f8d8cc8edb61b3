"""Registries: a new file, or one entry, is all that an extension takes."""

import shutil
import subprocess
import sys
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

import vpg_ros
from vpg_ros.devices import grippers
from vpg_ros.devices.gripper_data import RG2, GripperData
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.system import real

PRIMITIVE = """
from vpg_ros.primitives.base import register
from vpg_ros.primitives.push import Push

@register
class Nudge(Push):
    name = "nudge"
"""

SCENE = """
from vpg_ros.sim.scenes.base import scene

@scene("bare", max_objects=1)
def bare(world, objects):
    pass
"""

ALGORITHM = """
from vpg_ros.learning.offline.algorithm import register
from vpg_ros.learning.offline.algorithms.bc import BehaviourCloning

@register
class Parrot(BehaviourCloning):
    name = "grey-parrot"
"""

OFFER = """
import sys
from vpg_ros.choices import OFFLINE_ALGORITHMS

assert "torch" not in sys.modules
from vpg_ros.learning.offline import algorithms

assert algorithms.names() == OFFLINE_ALGORITHMS
print(*OFFLINE_ALGORITHMS)
"""

PRINT = """
from vpg_ros import primitives
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.system import sim

(scenes,) = (each.choices for each in sim().arguments if each.name == "scene")
assert NetworkConfig.of_repertoire().names == ("grasp", "push")
print(*primitives.names(), *scenes)
"""


def a_copy(folder: Path) -> Path:
    """The package, to add files to."""
    ignore = shutil.ignore_patterns("__pycache__")
    return shutil.copytree(Path(vpg_ros.__file__).parent, folder / "vpg_ros", ignore=ignore)


def printed(code: str, folder: Path) -> str:
    """What ``code`` prints with the copy in ``folder``."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_new_file_is_a_new_offline_algorithm(tmp_path: Path) -> None:
    algorithms = a_copy(tmp_path) / "learning" / "offline" / "algorithms"
    (algorithms / "grey_parrot.py").write_text(ALGORITHM)
    assert "grey-parrot" in printed(OFFER, tmp_path).split()


def test_a_new_file_is_a_new_primitive_or_scene(tmp_path: Path) -> None:
    copy = a_copy(tmp_path)
    (copy / "primitives" / "nudge.py").write_text(PRIMITIVE)
    (copy / "sim" / "scenes" / "bare.py").write_text(SCENE)
    names = set(printed(PRINT, tmp_path).split())
    challenging = {f"challenging-{index:02d}" for index in range(11)}
    families = {"packed", "random", "row", "tight", "bare"}
    families |= {"cards", "cornered", "tall", "tiles", "tower"}
    families |= {"cracked", "glazed", "ledge", "sticky", "stuck", "tangled"}
    seven = {"grasp", "push", "topple", "roll", "squeeze", "lever", "stack"}
    assert names == seven | {"nudge"} | families | challenging


def test_an_unknown_gripper_is_refused() -> None:
    with pytest.raises(VpgError, match=r"gripper is 'claw'; allowed: .*rg2") as error:
        grippers.get("claw")
    assert error.value.code is ErrorCode.PARAMETER_INVALID
    (argument,) = (each for each in real().arguments if each.name == "gripper")
    assert argument.choices == grippers.NAMES


def test_the_parameter_chooses_the_gripper(monkeypatch: pytest.MonkeyPatch) -> None:
    from vpg_ros.nodes.motion_parameters import Parameters

    data = GripperData(length=0.5, stroke=0.1, min_force=1.0, max_force=10.0)
    long = grippers.GripperModel(lambda settings: pytest.fail(str(settings)), data)
    monkeypatch.setitem(grippers._MODELS, "long", long)
    required = {
        each.name: None
        for each in fields(Parameters)
        if each.default is MISSING and each.default_factory is MISSING
    }
    required["joint_limit"] = (6.28,) * 6
    assert Parameters(**required, gripper="rg2").kinematics.tool == RG2.tool
    assert Parameters(**required, gripper="long").kinematics.tool == long.tool
