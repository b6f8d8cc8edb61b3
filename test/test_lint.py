"""The linters that a change has to pass; `make lint` and pre-commit run the same ones."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run_tool(*command: str) -> None:
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, f"{result.stdout}{result.stderr}"


def run_module(module: str, *arguments: str) -> None:
    pytest.importorskip(module, reason=f"{module} is not installed (requirements/dev.txt)")
    run_tool(sys.executable, "-m", module, *arguments)


def test_ruff() -> None:
    run_module("ruff", "check", "--output-format=concise", ".")


def test_types() -> None:
    run_module("mypy")


def test_import_contract() -> None:
    pytest.importorskip("importlinter", reason="import-linter is not installed")
    script = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    run_tool(sys.executable, "-c", script)
