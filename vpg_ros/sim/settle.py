"""Letting things come to rest, in simulated time and with a bound."""

from vpg_ros.sim.world import DT, World

_CHUNK = 10  # steps between two looks
_LINEAR, _ANGULAR = 0.005, 0.3  # m/s and rad/s (at 15 mm, the same) below which all is still
_QUIET_LOOKS = 2  # looks in a row at which everything must lie still


def settle(world: World, max_seconds: float = 3.0) -> bool:
    """Step until every object lies still, at most ``max_seconds`` of simulated time.

    Returns whether they all do; they then sleep until something touches them.
    """
    quiet = 0
    for _ in range(max(1, round(max_seconds / DT / _CHUNK))):
        world.step(_CHUNK)
        quiet = quiet + 1 if _is_quiet(world) else 0
        if quiet == _QUIET_LOOKS:
            break
    world.tally()
    world.mark()
    if quiet == _QUIET_LOOKS:
        world.sleep()
    return quiet == _QUIET_LOOKS


def _is_quiet(world: World) -> bool:
    speeds = (world.speed(body) for body in world.objects)
    return all(linear < _LINEAR and angular < _ANGULAR for linear, angular in speeds)
