"""The option that names a repertoire, of commands that read recorded transitions."""

import argparse


def add_primitives(parser: argparse.ArgumentParser, which: str) -> None:
    """Add ``--primitives``; ``which`` says what must hold of them."""
    parser.add_argument(
        "--primitives",
        nargs="+",
        metavar="NAME",
        default=["grasp", "push"],
        help=f"the repertoire, {which} (default: grasp push)",
    )
