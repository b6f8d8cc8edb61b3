"""One PyBullet physics client: its functions and constants as attributes.

``pybullet_utils`` has the like, but writes to standard output when it connects.
"""

from functools import partial
from inspect import isbuiltin
from typing import Any

import pybullet


class Client:
    """PyBullet's module with ``physicsClientId`` filled in; ``disconnect`` frees it."""

    def __init__(self) -> None:
        self._id = pybullet.connect(pybullet.DIRECT)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(pybullet, name)
        if isbuiltin(attribute):
            attribute = partial(attribute, physicsClientId=self._id)
        # Found once; later look-ups do not come here.
        setattr(self, name, attribute)
        return attribute
