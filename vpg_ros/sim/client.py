"""One PyBullet physics client: its functions and constants as attributes.

``pybullet_utils`` has the like, but writes to standard output when it connects.
"""

import os
from functools import partial
from inspect import isbuiltin
from typing import Any

from vpg_ros.errors import require


class Client:
    """PyBullet's module with ``physicsClientId`` filled in; ``disconnect`` frees it.

    window: show the world in PyBullet's own window, of which there can be one a process. Raises
    PARAMETER_INVALID where there is no display.
    """

    def __init__(self, window: bool = False) -> None:
        # Here, because it prints a line: who only asks for the names of scenes is spared it.
        import pybullet

        require(
            not window or bool(os.environ.get("DISPLAY")),
            "headless is false, but there is no display to open a window on: DISPLAY is not set",
        )
        self._module: Any = pybullet
        self._id = pybullet.connect(pybullet.GUI if window else pybullet.DIRECT)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._module, name)
        if isbuiltin(attribute):
            attribute = partial(attribute, physicsClientId=self._id)
        # Found once; later look-ups do not come here.
        setattr(self, name, attribute)
        return attribute
