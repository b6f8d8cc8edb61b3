"""What touches what, and how hard, read from PyBullet's contact points."""

from collections.abc import Collection
from typing import Any

import numpy as np

from vpg_ros.geometry import FloatArray

# Columns of getContactPoints: who touches, where, and with how much force.
_BODY_B, _LINK_A, _POSITION, _NORMAL, _FORCE = 2, 3, 5, 7, 9
_FRICTION_1, _DIRECTION_1, _FRICTION_2, _DIRECTION_2 = 10, 11, 12, 13


def contact_forces(client: Any, body: int, links: Collection[int]) -> tuple[FloatArray, FloatArray]:
    """Where others press on ``links`` of ``body`` and with what force: N×3 m and N×3 N."""
    contacts = [
        contact
        for contact in client.getContactPoints(bodyA=body)
        if contact[_BODY_B] != body and contact[_LINK_A] in links
    ]
    if not contacts:
        return np.zeros((0, 3)), np.zeros((0, 3))
    amounts = np.array([(c[_FORCE], c[_FRICTION_1], c[_FRICTION_2]) for c in contacts])
    directions = np.array([(c[_NORMAL], c[_DIRECTION_1], c[_DIRECTION_2]) for c in contacts])
    points = np.array([c[_POSITION] for c in contacts])
    return points, np.einsum("nk,nkj->nj", amounts, directions)


def touched_bodies(client: Any, body: int, link: int | None = None) -> set[int]:
    """Bodies that press on ``body`` (on its ``link`` alone, if given)."""
    filters = {"bodyA": body} if link is None else {"bodyA": body, "linkIndexA": link}
    contacts = client.getContactPoints(**filters)
    return {c[_BODY_B] for c in contacts if c[_FORCE] > 0 and c[_BODY_B] != body}
