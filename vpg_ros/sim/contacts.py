"""What touches what, and how hard, read from PyBullet's contact points."""

import math
from collections.abc import Collection
from typing import Any

import numpy as np

from vpg_ros.geometry import FloatArray

# Columns of getContactPoints: who touches, where, and with how much force.
_BODY_A, _BODY_B, _LINK_A, _LINK_B, _POSITION, _NORMAL, _FORCE = 1, 2, 3, 4, 5, 7, 9
_FRICTION_1, _DIRECTION_1, _FRICTION_2, _DIRECTION_2 = 10, 11, 12, 13


class ContactForces:
    """The forces with which others press on ``links`` of ``body`` and rub along them."""

    def __init__(self, client: Any, body: int, links: Collection[int]) -> None:
        self._client, self._body, self._links = client, body, links
        self._sides: dict[tuple[int, int], float] = {}

    def read(self) -> tuple[FloatArray, FloatArray]:
        """Where they act and how, in the last step: N×3 m and N×3 N."""
        contacts = [
            contact
            for contact in self._client.getContactPoints(bodyA=self._body)
            if contact[_BODY_B] != self._body and contact[_LINK_A] in self._links
        ]
        if not contacts:
            return np.zeros((0, 3)), np.zeros((0, 3))
        sides = [self._side(c[_BODY_B], c[_LINK_A]) for c in contacts]
        amounts = np.array(
            [
                (c[_FORCE], side * c[_FRICTION_1], side * c[_FRICTION_2])
                for c, side in zip(contacts, sides, strict=True)
            ]
        )
        directions = np.array([(c[_NORMAL], c[_DIRECTION_1], c[_DIRECTION_2]) for c in contacts])
        points = np.array([c[_POSITION] for c in contacts])
        return points, np.einsum("nk,nkj->nj", amounts, directions)

    def _side(self, other: int, link: int) -> float:
        """1 where PyBullet holds ``other`` for the second body of the pair, −1 for the first.

        Asked for the contacts of one body it turns the normals of swapped pairs, but not their
        friction, which is always upon the first body. Asked for all, it swaps nothing.
        """
        if (other, link) not in self._sides:
            for contact in self._client.getContactPoints():
                if contact[_BODY_A] == self._body:
                    self._sides[contact[_BODY_B], contact[_LINK_A]] = 1.0
                else:
                    self._sides[contact[_BODY_A], contact[_LINK_B]] = -1.0
        return self._sides[other, link]


def magnitude(force: FloatArray) -> float:
    """Length of a vector, as ``np.linalg.norm`` has it at a third of its time."""
    return math.sqrt(force.dot(force))


def touched_bodies(client: Any, body: int, link: int | None = None) -> set[int]:
    """Bodies that press on ``body`` (on its ``link`` alone, if given)."""
    filters = {"bodyA": body} if link is None else {"bodyA": body, "linkIndexA": link}
    contacts = client.getContactPoints(**filters)
    return {c[_BODY_B] for c in contacts if c[_FORCE] > 0 and c[_BODY_B] != body}


def pressing_force(client: Any, body: int, others: Collection[int]) -> float:
    """Sum of the normal forces with which ``others`` press on ``body``, N."""
    contacts = client.getContactPoints(bodyA=body)
    return float(sum(c[_FORCE] for c in contacts if c[_BODY_B] in others and c[_BODY_B] != body))
