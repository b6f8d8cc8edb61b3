"""Faults of the network and its weights."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from resource import RLIM_INFINITY, RLIMIT_AS, prlimit

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from benchmarks.faults.arm import choose
from benchmarks.faults.memory import address_space
from benchmarks.faults.trial import Trial, check, fault
from vpg_ros.errors import ErrorCode, VpgError
from vpg_ros.policy.checkpoint import SHIPPED_WEIGHTS, save
from vpg_ros.policy.config import NetworkConfig
from vpg_ros.policy.network import make_network
from vpg_ros.resources import resource

_WIDER, _SPARE = 24, 64 << 20  # times as many channels; bytes, for all but their working memory
Change = Callable[[torch.Tensor], torch.Tensor]


def _weights(path: Path, change: Change) -> str:
    """The shipped weights, changed but for the counters, in a file of their own."""
    with safe_open(resource(SHIPPED_WEIGHTS), framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        changed = {name: change(t) if t.dim() else t for name, t in tensors.items()}
        save_file(changed, path, metadata=file.metadata())
    return str(path)


def _refused(trial: Trial, paths: dict[str, ErrorCode]) -> None:
    """Loading fails while the arm moves, which goes on; so does the policy with its old weights."""
    operator = trial.rig.operator
    action, heightmap = choose(trial)
    goal = trial.goal(action, heightmap)
    check(goal.reaches("approach"), "the goal ended before its approach")
    trial.inject(lambda: None)
    for path, code in paths.items():
        try:
            operator.load(path)
            check(False, f"{path} was taken")
        except VpgError as error:
            check(error.code is code, f"told otherwise: {error.sentence}")
    outcome = goal.end()
    check(outcome.error_code is ErrorCode.OK, outcome.error_msg)
    trial.clear()
    again = operator.select(heightmap)
    check(again.checkpoint == action.checkpoint, "it has other weights")
    trial.recovers()


@fault("inference", "checkpoint missing", ErrorCode.CHECKPOINT_MISSING)
def missing(trial: Trial) -> None:
    _refused(trial, {str(trial.rig.folder / "nowhere.safetensors"): trial.code})


@fault("inference", "checkpoint corrupt or of another shape", ErrorCode.CHECKPOINT_CORRUPT)
def corrupt(trial: Trial) -> None:
    folder = trial.rig.folder
    cut = folder / "cut.safetensors"
    cut.write_bytes(resource(SHIPPED_WEIGHTS).read_bytes()[:5000])
    other = _weights(folder / "other.safetensors", lambda tensor: tensor[..., :1].clone())
    nan = _weights(folder / "nan.safetensors", lambda tensor: tensor * float("nan"))
    wanted = {str(cut): trial.code, other: ErrorCode.CHECKPOINT_MISMATCH, nan: trial.code}
    _refused(trial, wanted)


@fault("inference", "NaN map", ErrorCode.VALUES_INVALID, soak=True)
def nan_map(trial: Trial) -> None:
    """Finite weights, so large that the network overflows."""
    operator = trial.rig.operator
    large = _weights(trial.rig.folder / "large.safetensors", lambda tensor: tensor * 1e30)
    task = trial.task()
    task.until_state("execute")
    try:
        trial.inject(lambda: operator.load(large))
        trial.task_ends(task)
    finally:
        trial.clear(lambda: operator.load(str(resource(SHIPPED_WEIGHTS))))
    trial.recovers()


@fault("inference", "no GPU", ErrorCode.DEVICE_UNAVAILABLE)
def no_gpu(trial: Trial) -> None:
    trial.restarted.add("inference_node")
    hidden = {"CUDA_VISIBLE_DEVICES": ""}
    trial.inject(lambda: trial.rig.start("inference_node", {"device": "cuda"}, **hidden))
    died = None
    try:
        trial.rig.until_ready("inference_node")
    except VpgError as error:
        died = error
    trial.expect(died)
    trial.stands()
    trial.clear(lambda: trial.restart("inference_node"))
    trial.rig.until_ready("inference_node")
    trial.recovers()


@fault("inference", "out of memory", ErrorCode.DEVICE_UNAVAILABLE)
def out_of_memory(trial: Trial) -> None:
    """A network far larger than the memory that inference_node may still take."""
    operator, pid = trial.rig.operator, trial.rig.pids["inference_node"]
    path = trial.rig.folder / "wide.safetensors"
    config = NetworkConfig.of_repertoire()
    widths = (_WIDER * config.widths[0], *config.widths[1:])  # where the canvases are largest
    save(path, make_network(replace(config, widths=widths)))
    operator.trigger("pybullet_node/reset")  # canvases are as large as what stands on the table
    task = trial.task()
    task.until_state("execute")
    try:
        operator.load(str(path))
        trial.inject(lambda: prlimit(pid, RLIMIT_AS, (address_space(pid) + _SPARE, RLIM_INFINITY)))
        trial.task_ends(task)
    finally:
        prlimit(pid, RLIMIT_AS, (RLIM_INFINITY, RLIM_INFINITY))
        trial.clear(lambda: operator.load(str(resource(SHIPPED_WEIGHTS))))
    trial.recovers()
