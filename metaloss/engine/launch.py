"""Several training processes, by MMEngine's launchers."""

from __future__ import annotations

import atexit
import datetime
import gc
import os
from collections.abc import Mapping
from typing import Any

import torch
import torch.distributed as dist
from mmengine.device import get_device
from mmengine.device import utils as devices
from mmengine.dist import all_gather_object, broadcast_object_list, init_dist
from mmengine.utils.dl_utils import set_multi_processing

from metaloss.errors import ConfigError, MetaLossError

LAUNCHERS = ("none", "pytorch", "slurm", "mpi")
COMMAND = "torchrun --nproc-per-node N -m metaloss train CONFIG --launcher pytorch"
# what each launcher says to the processes that it starts, and which of these is a process's number on its machine
_VARIABLES = {
    "pytorch": (("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"), "LOCAL_RANK"),
    "slurm": (("SLURM_PROCID", "SLURM_NTASKS", "SLURM_NODELIST"), "SLURM_LOCALID"),
    "mpi": (
        ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "MASTER_ADDR"),
        "OMPI_COMM_WORLD_LOCAL_RANK",
    ),
}


def check_launcher(launcher: str) -> None:
    """Checks that the process was started as its launcher starts processes.

    Raises:
        ConfigError: an unknown launcher, or one that did not start this process.
    """
    if launcher not in LAUNCHERS:
        raise ConfigError(f"--launcher {launcher}: choose one of {', '.join(LAUNCHERS)}")
    if launcher == "none":
        if "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", 1)) > 1:
            raise ConfigError(
                f"torchrun started {os.environ['WORLD_SIZE']} processes, and without --launcher pytorch each would "
                "train on its own in the same folder: add --launcher pytorch"
            )
        return
    missing = [name for name in _VARIABLES[launcher][0] if name not in os.environ]
    if missing:
        start = f"start the processes with `{COMMAND}`" if launcher == "pytorch" else f"start them with {launcher}"
        raise ConfigError(f"--launcher {launcher}: {', '.join(missing)} not set in the environment: {start}")


def use_device(device: torch.device) -> None:
    """Lets MMEngine put what it builds on a device, for the life of the process; without it, on the first GPU."""
    devices.DEVICE = device.type
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)


def device() -> torch.device:
    """The device that MMEngine puts networks on."""
    return torch.device(get_device())


def launch(launcher: str, env_cfg: Mapping[str, Any]) -> None:
    """Lets the processes meet, with ``nccl`` where there are CUDA devices and ``gloo`` where not.

    Args:
        launcher: one of ``LAUNCHERS``.
        env_cfg: of the config; ``dist_cfg.backend`` and ``dist_cfg.timeout`` (seconds) are heeded.

    Raises:
        ConfigError: a backend or launcher that this machine has no devices for.
    """
    if launcher == "none" or dist.is_initialized():
        return
    check_launcher(launcher)
    settings = {name: value for name, value in (env_cfg.get("dist_cfg") or {}).items() if value is not None}
    backend = settings.setdefault("backend", "nccl" if torch.cuda.is_available() else "gloo")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # MMEngine's own default, without its warnings
        os.environ.setdefault(name, "1")
    set_multi_processing(**env_cfg.get("mp_cfg", {}), distributed=True)
    os.environ.setdefault("LOCAL_RANK", os.environ.get(_VARIABLES[launcher][1], "0"))
    if torch.cuda.is_available():
        here = int(os.environ.get("LOCAL_WORLD_SIZE", 1 + int(os.environ["LOCAL_RANK"])))
        if here > torch.cuda.device_count():
            raise ConfigError(
                f"{here} processes on this machine and {torch.cuda.device_count()} CUDA devices: start one process per "
                "device, or set CUDA_VISIBLE_DEVICES='' to train on the CPU"
            )
        init_dist(launcher, **settings)
        return
    if backend == "nccl" or launcher != "pytorch":
        given = "env_cfg.dist_cfg.backend='nccl'" if backend == "nccl" else f"--launcher {launcher}"
        raise ConfigError(f"{given} needs CUDA devices, and there are none: on CPUs gloo runs with `{COMMAND}`")
    # MMEngine's own would choose a CUDA device first
    if "timeout" in settings:
        settings["timeout"] = datetime.timedelta(seconds=settings["timeout"])
    dist.init_process_group(**settings)


def leave() -> None:
    """Ends the process group; without one, does nothing.

    It must end before Python does: a gloo thread that still holds a Python tensor by then aborts the process, after all
    its work. Its threads end with the last reference to it, so the wrapped model must be gone, too.
    """
    if dist.is_initialized():
        dist.destroy_process_group()
        gc.collect()


def as_first(value: Any) -> Any:
    """What process 0 has here."""
    values = [value]
    broadcast_object_list(values)
    return values[0]


def agree(error: Exception | None) -> None:
    """Ends all processes if one of them has met an error; process 0 says which.

    Processes that torchrun started and that never met, since none could, meet to say it once.

    Args:
        error: what this process has met.

    Raises:
        MetaLossError: in process 0.
        SystemExit: in the others, with status 2.
    """
    if not dist.is_initialized():
        if error is None:
            return
        if any(name not in os.environ for name in _VARIABLES["pytorch"][0]):
            raise error
        dist.init_process_group("gloo", timeout=datetime.timedelta(minutes=1))
    words = None
    if error is not None:
        words = str(error) if isinstance(error, MetaLossError) else f"{type(error).__name__}: {error}"
    found = {number: said for number, said in enumerate(all_gather_object(words)) if said is not None}
    if not found:
        return
    # a launcher ends all as soon as one ends: not before the error is said
    atexit.register(leave)
    atexit.register(dist.barrier)  # called first
    if dist.get_rank() > 0:
        raise SystemExit(2)
    if error is not None:
        raise error
    number = min(found)
    raise MetaLossError(f"process {number}: {found[number]}")
