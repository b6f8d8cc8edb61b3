"""Learn to push and grasp through clutter with a robot arm and a depth camera."""

__version__ = "0.1.0"
