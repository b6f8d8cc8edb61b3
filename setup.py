"""ament_python package: modules, nodes, and the files that live beside them under share/."""

from pathlib import Path

from setuptools import find_packages, setup

PACKAGE = "vpg_ros"
# colcon builds through a symlink to this file; the requirements are beside the file itself.
HERE = Path(__file__).resolve().parent
FOLDERS = ("config", "launch", "scenes", "urdf", "weights")
NODES = (
    *("heightmap_node", "inference_node", "motion_node", "task_node", "learner_node"),
    "pybullet_node",
)
# Subcommands of vpg that `ros2 run` knows by name.
COMMANDS = ("calibrate", "doctor")


def requirements(name: str) -> list[str]:
    """Return the requirements in ``requirements/<name>.txt``, without comments."""
    lines = (HERE / "requirements" / f"{name}.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def data_files(folder: str) -> list[tuple[str, list[str]]]:
    """Return everything in ``folder``, to be installed under share/vpg_ros."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return [(f"share/{PACKAGE}/{path.parent}", [str(path)]) for path in paths]


setup(
    name=PACKAGE,
    version="0.1.0",
    description="Learn to push and grasp through clutter with a robot arm and a depth camera",
    license="Apache-2.0",
    maintainer="vpg_ros maintainers",
    maintainer_email="vpg_ros@users.noreply.github.com",
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
    package_data={PACKAGE: ["py.typed", "viz/templates/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (f"share/{PACKAGE}", ["package.xml"]),
        *(entry for folder in FOLDERS for entry in data_files(folder)),
    ],
    python_requires=">=3.11",
    install_requires=["setuptools", *requirements("runtime")],
    extras_require={
        "export": requirements("export"),
        "scale": requirements("scale"),
        "test": requirements("dev"),
    },
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "vpg = vpg_ros.cli.main:main",
            *(f"{name} = {PACKAGE}.cli.main:{name}" for name in COMMANDS),
            *(f"{node} = {PACKAGE}.nodes.{node}:main" for node in NODES),
        ]
    },
)
