"""One node as a child process: its log, its end, its last words."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.orphans import PARENT_VARIABLE
from vpg_ros.system import NodeEntry

_WORDS = re.compile(r"^\w+: (.* \[error \d+\])$", re.MULTILINE)


class NodeProcess:
    """A running node. It is in a session of its own: Ctrl-C reaches the bring-up alone."""

    def __init__(
        self,
        node: NodeEntry,
        parameters: tuple[Path, ...],
        log: Path,
        environment: Mapping[str, str],
    ) -> None:
        self.name = node.name
        self._log = log
        files = [part for path in parameters for part in ("--params-file", str(path))]
        program = [sys.executable, "-m", f"vpg_ros.nodes.{node.name}"]
        name = ["-r", f"__node:={node.name}", "--enclave", node.enclave]
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*program, "--ros-args", *name, *files],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**environment, PARENT_VARIABLE: str(os.getpid())},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    @property
    def ready(self) -> bool:
        """Whether the node has said that it is."""
        return f"[{self.name}]: ready" in self._text()

    @property
    def error(self) -> VpgError:
        """Why it ended: its last error sentence, or PROCESS_DIED with how it ended."""
        words = _WORDS.findall(self._text())
        parsed = VpgError.parse(words[-1]) if words else None
        if parsed is not None:
            return VpgError(parsed.code, f"{self.name}: {parsed.message}")
        code = self.exit_code
        how = f"exit code {code}" if code is None or code >= 0 else signal.Signals(-code).name
        sentence = f"{self.name} died ({how}); its log is {self._log}"
        return VpgError(ErrorCode.PROCESS_DIED, sentence)

    def interrupt(self) -> None:
        """Ask it to end."""
        if self.exit_code is None:
            self._process.send_signal(signal.SIGINT)

    def wait(self, timeout: float) -> bool:
        """Whether it ends within ``timeout`` s."""
        try:
            self._process.wait(max(0.0, timeout))
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End it and what it started, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _text(self) -> str:
        return self._log.read_text(errors="replace")
