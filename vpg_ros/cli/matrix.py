"""What the arguments of a study change of its matrix."""

import argparse
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    Matrix = TypeVar("Matrix", bound=DataclassInstance)


def asked(options: argparse.Namespace, matrix: "Matrix") -> "Matrix":
    """``matrix`` with every field that an argument of the same name gives."""
    given = {each.name: getattr(options, each.name, None) for each in fields(matrix)}
    chosen: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None
    }
    return replace(matrix, **chosen)
