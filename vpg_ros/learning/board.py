"""What TensorBoard shows of a training; importing this module loads TensorBoard."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from vpg_ros import primitives
from vpg_ros.atomic import unwritable
from vpg_ros.learning.progress import WINDOW
from vpg_ros.learning.train import Trainer


class Board:
    """Scalars of a training over its actions, as event files in a folder.

    TensorBoard drops what an earlier process wrote of actions that this one does again. Raises
    DISK_FULL.
    """

    def __init__(self, folder: Path, trainer: Trainer) -> None:
        self._folder, self._trainer = folder, trainer
        self._hook = threading.excepthook
        threading.excepthook = self._hear

    @cached_property
    def _writer(self) -> SummaryWriter:
        """Opened by the first action: before it the folder may be another training process's."""
        return SummaryWriter(str(self._folder), purge_step=self._trainer.progress.actions)

    def add(self) -> None:
        """Write the scalars of the trainer's newest action."""
        progress = self._trainer.progress
        steps = progress.steps[-WINDOW:]
        others = [not primitives.get(step.primitive).picks for step in steps]
        scalars = {
            "loss": steps[-1].loss,
            "learning_rate": self._trainer.learner.rate,
            "grasp_success_last_100": steps[-1].grasp_success_last_100,
            "pushes_last_100": sum(others) / len(others),
            "completion_last_100": progress.completion,
            "episodes": progress.episodes,
            "actions_per_minute": progress.actions_per_minute,
        }
        with self._named():
            for name, value in scalars.items():
                self._writer.add_scalar(name, value, steps[-1].action)

    def _hear(self, event: threading.ExceptHookArgs) -> None:
        """Leave an error of TensorBoard's thread in writing to where it is raised again."""
        if not isinstance(event.exc_value, OSError):
            self._hook(event)

    def close(self) -> None:
        """Write what is not on the disk yet."""
        threading.excepthook = self._hook
        if "_writer" in vars(self):
            with self._named():
                self._writer.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise unwritable(self._folder, error) from error
