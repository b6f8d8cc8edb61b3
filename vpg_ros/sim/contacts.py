"""What touches what, and how hard, read from PyBullet's contact points."""

from collections.abc import Collection
from typing import Any

import numpy as np

from vpg_ros.geometry import FloatArray

# Columns of getContactPoints: who touches, where, and with how much force.
_BODY_B, _LINK_A, _POSITION, _NORMAL, _FORCE = 2, 3, 5, 7, 9
_FRICTION = ((10, 11), (12, 13))


def contact_wrench(client: Any, body: int, links: Collection[int], point: FloatArray) -> FloatArray:
    """Force (N) and torque (Nm) about ``point`` that others exert upon ``links`` of ``body``, 6."""
    wrench = np.zeros(6)
    for contact in client.getContactPoints(bodyA=body):
        if contact[_BODY_B] != body and contact[_LINK_A] in links:
            force = contact[_FORCE] * np.array(contact[_NORMAL])
            for amount, direction in _FRICTION:
                force += contact[amount] * np.array(contact[direction])
            wrench[:3] += force
            wrench[3:] += np.cross(np.array(contact[_POSITION]) - point, force)
    return wrench


def touched_bodies(client: Any, body: int, link: int | None = None) -> set[int]:
    """Bodies that press on ``body`` (on its ``link`` alone, if given)."""
    filters = {"bodyA": body} if link is None else {"bodyA": body, "linkIndexA": link}
    contacts = client.getContactPoints(**filters)
    return {c[_BODY_B] for c in contacts if c[_FORCE] > 0 and c[_BODY_B] != body}
