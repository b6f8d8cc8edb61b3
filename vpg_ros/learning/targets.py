"""What the value of an executed action is drawn towards: rules, chosen by name.

Values are kept in [0, 1], as fractions of the largest return there can be (``bound``), which is 1
under the default rule.
"""

from collections.abc import Callable
from dataclasses import dataclass

from vpg_ros import primitives
from vpg_ros.learning.replay import Experience


@dataclass(frozen=True)
class TargetRule:
    """One rule.

    earned: immediate reward of an experience given the push reward. bootstraps: whether the value
    of the scene left behind counts, discounted. bound: largest return, from (push reward, gamma).
    share: of that value that counts. by_picks: whether that value is the best pick's alone.
    by_meta: whether it is what the meta-policy makes of the scene.
    """

    earned: Callable[[Experience, float], float]
    bootstraps: Callable[[Experience], bool]
    bound: Callable[[float, float], float]
    share: float = 1.0
    by_picks: bool = False
    by_meta: bool = False


def _picks(experience: Experience) -> bool:
    return primitives.get(experience.primitive).picks


def _earned(experience: Experience, push_reward: float) -> float:
    """The task's reward, and the push reward for any action but a pick that changed the scene."""
    if _picks(experience):
        return experience.reward
    return experience.reward + push_reward * experience.changed


def _did_its_part(experience: Experience, _: float) -> float:
    """Whether a pick picked, wanted or not; any other action: half of that, half of its reward."""
    if _picks(experience):
        return float(experience.worked)
    return (experience.worked + experience.reward) / 2


def _worked(experience: Experience, _: float) -> float:
    """Whether the action did what it is for: picked, or else moved something."""
    return experience.reward if _picks(experience) else float(experience.changed)


def _prepared(experience: Experience) -> bool:
    """Something other than a pick changed the scene and there is more to do."""
    return not _picks(experience) and experience.changed and not experience.done


def _enabled(experience: Experience) -> bool:
    """Something other than a pick did what it is for, and there is more to do."""
    return _prepared(experience) and experience.worked


def _happened(experience: Experience) -> bool:
    """The scene changed or something was picked (Zeng et al. 2018, section IV.C)."""
    return (experience.changed or experience.reward > 0) and not experience.done


def _goes_on(experience: Experience) -> bool:
    """There is more to do, whatever came of the action."""
    return not experience.done


def _of_all_steps(push_reward: float, gamma: float) -> float:
    """The most that steps come to: a push that solves the scene earns both rewards, and ends it."""
    return max(1.0 + push_reward, max(1.0, push_reward) / (1 - gamma))


RULES: dict[str, TargetRule] = {
    # A pick is worth the chance that it succeeds, anything else the discounted best value after it.
    "discounted": TargetRule(
        _earned,
        _prepared,
        lambda push_reward, gamma: max(1.0 + push_reward, push_reward / (1 - gamma)),
    ),
    # The level of the primitives in a hierarchy (Kulkarni et al. 2016): half of what each is worth
    # is the chance that it does what it is for, half the pick nearby that this makes possible, or
    # the task's reward; whether that is wanted is for the level above to know. The worth of what is
    # no pick would make values of chains that never end.
    "worked": TargetRule(
        _did_its_part, _enabled, lambda push_reward, gamma: 1.0, share=0.5, by_picks=True
    ),
    # Half the same; the other half is the task's reward, or what the level above makes of the scene
    # that any change left: the value on arrival of options that end after one action (Bacon et al.
    # 2017, equation 3). A maximum over primitives finds less that is too high than one over places.
    "option": TargetRule(
        _did_its_part, _prepared, lambda push_reward, gamma: 1.0, share=0.5, by_meta=True
    ),
    # No future: the chance that the action does what it is for.
    "reactive": TargetRule(_worked, lambda experience: False, lambda push_reward, gamma: 1.0),
    # Zeng et al. 2018: every action that did something is worth what follows it as well.
    "vpg": TargetRule(_earned, _happened, _of_all_steps),
    # The discounted return of a whole episode: what off-policy evaluation estimates.
    "return": TargetRule(_earned, _goes_on, _of_all_steps),
}
