"""How many threads computing takes."""

import cv2
import torch


def one_thread() -> None:
    """Have torch and OpenCV compute on one thread in this process.

    Small convolutions gain little from more, processes beside each other would hinder each other,
    and sums in another order change a decision: on one thread everything repeats exactly.
    """
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
