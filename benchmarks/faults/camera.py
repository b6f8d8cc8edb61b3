"""Faults of the camera."""

from benchmarks.faults.trial import Trial, check, fault
from vpg_ros.errors import ErrorCode, VpgError

_CALIBRATION = "camera_pose: {position: [0, 0, 1], quaternion: [1, 0, 0, 0]}"


@fault("camera", "none present", ErrorCode.CAMERA_MISSING)
def none_present(trial: Trial) -> None:
    calibration = trial.rig.folder / "calibration.yaml"
    calibration.write_text(_CALIBRATION)
    absent = {
        "camera": "realsense",
        "realsense.serial": "none",
        "realsense.connect_timeout": 10.0 * trial.rig.patience,
        "calibration": str(calibration),
    }
    trial.inject(lambda: trial.restart("heightmap_node", **absent))
    died = None
    try:
        trial.rig.until_ready("heightmap_node")
    except VpgError as error:
        died = error
    trial.expect(died)
    trial.stands()
    trial.clear(lambda: trial.restart("heightmap_node"))
    trial.rig.until_ready("heightmap_node")
    trial.recovers()


def _during_a_task(trial: Trial, kind: str) -> None:
    task, operator = trial.task(), trial.rig.operator
    task.until_state("execute")
    trial.inject(lambda: operator.set("pybullet_node", camera_fault=kind))
    try:
        trial.task_ends(task)
    finally:
        trial.clear(lambda: operator.set("pybullet_node", camera_fault=""))
    trial.recovers()


@fault("camera", "unplugged mid-stream", ErrorCode.CAMERA_TIMEOUT, soak=True)
def unplugged(trial: Trial) -> None:
    _during_a_task(trial, "unplugged")


@fault("camera", "stale frame", ErrorCode.FRAME_STALE, soak=True)
def stale(trial: Trial) -> None:
    _during_a_task(trial, "frozen")


@fault("camera", "all-zero depth", ErrorCode.DEPTH_EMPTY, soak=True)
def blind(trial: Trial) -> None:
    _during_a_task(trial, "blind")


@fault("camera", "intrinsics change", ErrorCode.INTRINSICS_CHANGED, soak=True)
def exchanged(trial: Trial) -> None:
    trial.rig.operator.capture()  # the camera is known by its first picture
    _during_a_task(trial, "exchanged")


@fault("simulation", "never settles", ErrorCode.OK)
def restless(trial: Trial) -> None:
    operator = trial.rig.operator
    trial.inject(lambda: operator.set("pybullet_node", restless=True))
    try:
        operator.trigger("pybullet_node/reset")
        task = trial.task(max_actions=1)
        ended = task.end()
        check(task.process.exit_code == 0 and task.actions == 1, f"the task: {ended.sentence}")
        trial.stands()
    finally:
        trial.clear(lambda: operator.set("pybullet_node", restless=False))
    trial.recovers()
