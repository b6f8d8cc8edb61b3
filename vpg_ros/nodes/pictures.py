"""The pictures that inference_node publishes of each decision, kept until they are recorded."""

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from vpg_ros.nodes.base import VpgNode
from vpg_ros.nodes.convert import image_from_msg, stamp_from_msg
from vpg_ros.nodes.qos import LATCHED

OVERLAY = "overlay"


class Pictures:
    """Value maps of ``primitives`` and overlay of the newest decision, found by the map's stamp."""

    def __init__(self, node: VpgNode, primitives: tuple[str, ...]) -> None:
        self._lock = threading.Lock()
        self._images: dict[str, Image] = {}
        self._subscribe(node, OVERLAY)
        self._primitives = primitives
        for name in primitives:
            self._subscribe(node, f"value_maps/{name}")

    def _subscribe(self, node: VpgNode, topic: str) -> None:
        node.create_subscription(Image, topic, lambda image: self._keep(topic, image), LATCHED)

    def _keep(self, topic: str, image: Image) -> None:
        with self._lock:
            self._images[topic] = image

    def overlay(self, stamp: float) -> NDArray[np.uint8] | None:
        """The overlay of the decision on the heightmap of ``stamp`` s, if it came."""
        return self._get(OVERLAY, stamp)

    def maps(self, stamp: float) -> dict[str, NDArray[np.float32]]:
        """Primitive → best value at every cell, of the same decision."""
        found = {name: self._get(f"value_maps/{name}", stamp) for name in self._primitives}
        return {name: image for name, image in found.items() if image is not None}

    def _get(self, topic: str, stamp: float) -> Any:
        with self._lock:
            image = self._images.get(topic)
        if image is None or abs(stamp_from_msg(image.header.stamp) - stamp) > 1e-6:
            return None
        return image_from_msg(image)
