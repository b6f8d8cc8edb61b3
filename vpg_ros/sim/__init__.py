"""PyBullet: the world that takes the hardware's place, behind the same interfaces."""
