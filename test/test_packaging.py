"""The two packages as colcon, ROS 2 and a user's shell see them."""

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from xml.etree import ElementTree

import pytest

import vpg_ros

ROOT = Path(__file__).resolve().parent.parent
DATA = ("config", "launch", "urdf", "weights")
MANIFESTS = {"vpg_ros": ROOT / "package.xml", "vpg_msgs": ROOT / "vpg_msgs" / "package.xml"}
BUILD_TYPES = {"vpg_ros": "ros.ament_python", "vpg_msgs": "ros.ament_cmake"}
LAUNCHER = Path(sys.prefix) / "bin" / "vpg"
needs_launcher = pytest.mark.skipif(not LAUNCHER.exists(), reason="`make setup` installs it")


def run(
    *command: str | Path, cwd: Path = ROOT, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def colcon(cwd: Path, *arguments: str) -> str:
    """Run colcon in ``cwd`` and return what it prints."""
    pytest.importorskip("colcon_core", reason="colcon is not installed for this Python")
    result = run(sys.executable, "-m", "colcon", *arguments, cwd=cwd)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a workspace's src/vpg_ros with the files that colcon looks at and installs."""
    target = tmp_path / "src" / "vpg_ros"
    target.mkdir(parents=True)
    for name in ("package.xml", "setup.py", "setup.cfg", "colcon_defaults.yaml"):
        shutil.copy(ROOT / name, target)
    for name in ("requirements", "resource", "vpg_msgs", "vpg_ros", *DATA):
        if (ROOT / name).is_dir():
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, target / name, ignore=unwanted)
    return target


def listed(output: str) -> dict[str, str]:
    """Return the build type of each package in the output of `colcon list`."""
    rows = (line.split("\t") for line in output.splitlines())
    return {name: build_type.strip("()") for name, _, build_type in rows}


def test_colcon_finds_both_packages_from_the_root(clone: Path) -> None:
    assert listed(colcon(clone, "list")) == BUILD_TYPES


def test_colcon_finds_both_packages_in_a_workspace(clone: Path) -> None:
    workspace = clone.parent.parent
    output = colcon(workspace, "list", "--base-paths", "src", "src/vpg_ros/vpg_msgs")
    assert listed(output) == BUILD_TYPES


def files(folder: Path, root: Path) -> list[Path]:
    return [path.relative_to(root) for path in folder.rglob("*") if path.is_file()]


def test_installation_is_complete(clone: Path) -> None:
    """Without --symlink-install: nothing may depend on the sources lying beside the package."""
    colcon(clone, "build", "--packages-select", "vpg_ros")
    prefix = clone / "install" / "vpg_ros"
    packages = next(prefix.glob("lib/python3*/site-packages"))
    data = [path for folder in DATA for path in files(clone / folder, clone)]
    assert [path for path in data if not (prefix / "share/vpg_ros" / path).is_file()] == []
    code = files(clone / "vpg_ros", clone)
    assert [path for path in code if not (packages / path).is_file()] == []
    shutil.rmtree(clone / "vpg_ros")
    result = run(prefix / "lib/vpg_ros/vpg", "version", cwd=clone, PYTHONPATH=str(packages))
    assert result.stdout.strip() == vpg_ros.__version__, result.stderr


@pytest.mark.parametrize("package", MANIFESTS)
def test_manifest_is_valid(package: str) -> None:
    catkin_pkg = pytest.importorskip("catkin_pkg.package", reason="catkin_pkg is not installed")
    warnings: list[str] = []
    parsed = catkin_pkg.parse_package(str(MANIFESTS[package]), warnings=warnings)
    parsed.validate(warnings=warnings)
    assert (parsed.name, warnings) == (package, [])


def test_versions_agree() -> None:
    manifests = {ElementTree.parse(path).findtext("version") for path in MANIFESTS.values()}
    setup = re.search(r'version="([^"]+)"', (ROOT / "setup.py").read_text())
    assert setup is not None
    assert manifests == {vpg_ros.__version__} == {setup[1]}


def test_manifest_names_every_ros_package_imported() -> None:
    """One that is not named is there by luck, until someone follows `rosdep install`."""
    manifest = ElementTree.parse(MANIFESTS["vpg_ros"])
    named = {element.text for element in manifest.iter("exec_depend")}
    ros_package = re.compile(
        r"^\s*(?:from|import) (\w+_(?:msgs|srvs|interfaces)|rclpy|launch\w*|ament_index_python)\b",
        re.MULTILINE,
    )
    sources = [*(ROOT / "vpg_ros").rglob("*.py"), *(ROOT / "launch").glob("*.py")]
    imported = {name for path in sources for name in ros_package.findall(path.read_text())}
    assert "rclpy" in imported
    assert imported - named == set()


def test_every_console_script_has_its_function() -> None:
    try:
        scripts = distribution("vpg_ros").entry_points.select(group="console_scripts")
    except PackageNotFoundError:
        pytest.skip("vpg_ros is not built for this Python")
    assert {"vpg", "task_node", "pybullet_node"} <= {script.name for script in scripts}
    for script in scripts:
        assert callable(script.load()), script.name


def test_help_answers_without_loading_what_is_slow() -> None:
    result = run(sys.executable, "-X", "importtime", "-m", "vpg_ros.cli.main", "--help")
    assert "COMMAND" in result.stdout
    loaded = set(re.findall(r"\|\s+(\w+)$", result.stderr, re.MULTILINE))
    assert "argparse" in loaded
    assert loaded & {"numpy", "torch", "open3d", "rclpy", "pybullet"} == set()


@needs_launcher
def test_launcher_ignores_other_installations(tmp_path: Path) -> None:
    for name in ("vpg_ros", "rclpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong installation')")
    other = {"AMENT_PREFIX_PATH": "/opt/ros/other", "PYTHONPATH": str(tmp_path)}
    result = run(LAUNCHER, "version", cwd=tmp_path, LD_LIBRARY_PATH=str(tmp_path), **other)
    assert (result.returncode, result.stdout.strip()) == (0, vpg_ros.__version__), result.stderr


def import_nodes(folder: Path, **variables: str) -> str:
    """Import the nodes with nothing installed but what is in ``folder``; return the last line."""
    path = os.pathsep.join((str(folder), str(ROOT)))
    command = (sys.executable, "-S", "-c", "import vpg_ros.nodes")
    result = run(*command, PYTHONPATH=path, **variables)
    assert result.returncode != 0
    return result.stderr.splitlines()[-1]


def test_missing_vpg_msgs_is_reported_with_the_command_that_builds_it(tmp_path: Path) -> None:
    (tmp_path / "rclpy.py").touch()
    assert "run `make setup`" in import_nodes(tmp_path)
    sentence = import_nodes(tmp_path, ROS_DISTRO="jazzy")
    assert "package vpg_msgs is not built" in sentence
    assert "`colcon build`" in sentence
    assert "`colcon build --base-paths src src/vpg_ros/vpg_msgs`" in sentence


def test_missing_ros_is_reported(tmp_path: Path) -> None:
    assert "rclpy of ROS 2 is not installed" in import_nodes(tmp_path)


def find_python(candidate: str) -> str:
    result = run("sh", ROOT / "tools" / "find_python.sh", candidate)
    assert (result.returncode, result.stdout) == (1, "")
    return result.stderr


def test_python_that_is_not_there_is_named() -> None:
    assert "/nowhere/python3 is not installed" in find_python("/nowhere/python3")


def interpreter(folder: Path, change: str) -> str:
    """Return an interpreter that applies ``change`` to the check that it is handed."""
    path = folder / "python"
    path.write_text(f"#!{sys.executable}\nimport sys\ncheck = sys.argv[2]\n{change}\nexec(check)\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("part", "absent", "package"),
    [
        ("import ensurepip", "import no_such_module", "venv"),
        ("if not os.path.exists", "if os.path.exists", "dev"),
    ],
)
def test_python_without_a_part_says_which_package_has_it(
    tmp_path: Path, part: str, absent: str, package: str
) -> None:
    change = f"check = check.replace({part!r}, {absent!r})"
    version = f"3.{sys.version_info.minor}"
    sentence = find_python(interpreter(tmp_path, change))
    assert f"sudo apt-get install python{version}-{package}" in sentence


def test_python_of_another_version_is_refused(tmp_path: Path) -> None:
    sentence = find_python(interpreter(tmp_path, "sys.version_info = (3, 9, 2)"))
    assert "is Python 3.9; 3.11 or 3.12 is needed" in sentence


def test_setup_names_the_packages_that_the_system_lacks() -> None:
    result = run(sys.executable, "-S", ROOT / "tools" / "setup_env.py", PATH="/nowhere")
    assert result.returncode == 1
    assert "sudo apt-get install build-essential cmake" in result.stderr
    assert "Traceback" not in result.stderr
