"""The workers: processes on this machine, SLURM jobs, or an existing Dask cluster."""

import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from nwb_neurid.errors import InvalidOption
from nwb_neurid.workflows.archive.options import ClusterOptions

if TYPE_CHECKING:
    from distributed import Client

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
"""Each worker process uses one thread. More threads would only compete for the cores."""

TASK = "nwb_neurid.workflows.archive.apart"
"""Module that a worker loads before it receives recordings. Dask calls its function `dask_setup`."""

CONNECT_S = 10.0
LOGGERS = frozenset({"distributed", "dask_jobqueue", "tornado", "bokeh"})
DASHBOARD = "127.0.0.1:8787"  # another port is used if this one is taken


@contextmanager
def start_cluster(options: ClusterOptions, *, uses_gpu: bool = False) -> Iterator[str]:
    """Start the workers, and stop those that were started.

    Parameters
    ----------
    options
        Kind and number of workers.
    uses_gpu
        Whether the workers on this machine are distributed over the GPUs, so that each worker sees only one GPU.

    Yields
    ------
    str
        The address of the scheduler.

    Raises
    ------
    InvalidOption
        If an option cannot be used, or a library is missing.
    """
    _import_dask()
    with ExitStack() as stack:
        stack.enter_context(_silence_logs())
        if options.scheduler:
            yield options.scheduler
            return
        start = _start_jobs if options.slurm else _start_processes
        cluster = stack.enter_context(start(options, uses_gpu))
        yield cluster.scheduler_address


def connect(address: str) -> "Client":
    """Connect to a scheduler.

    Raises
    ------
    InvalidOption
        If no scheduler answers at this address.
    """
    from distributed import Client

    try:
        return Client(address, timeout=CONNECT_S, set_as_default=False, direct_to_workers=False)
    except (OSError, ValueError, TypeError) as error:  # includes TimeoutError, which is an OSError
        raise InvalidOption(
            f"No Dask scheduler answers at {address} ({type(error).__name__}). Start one (dask scheduler), and give "
            "its address, such as tcp://node1:8786."
        ) from error


def list_gpus() -> list[str]:
    """List the GPUs that PyTorch finds on this machine, by their names for `CUDA_VISIBLE_DEVICES`."""
    import torch

    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    count = torch.cuda.device_count()
    return named[:count] or [str(number) for number in range(count)]


def describe_workers(options: ClusterOptions, gpus: Sequence[str]) -> list[dict[str, Any]]:
    """Describe the workers of this machine to Dask: one thread, a share of the memory, and one GPU if there are any.

    Raises
    ------
    InvalidOption
        If the memory is not a valid amount.
    """
    from distributed.worker_memory import parse_memory_limit

    count = options.workers or 1
    try:
        memory = parse_memory_limit(options.memory or "auto", 1, count, logger=logging.getLogger(__name__))
    except ValueError as error:
        raise InvalidOption(f"--memory must be an amount such as 8GB, got {options.memory!r}.") from error
    seen = [{"CUDA_VISIBLE_DEVICES": gpus[number % len(gpus)]} if gpus else {} for number in range(count)]
    plain = {"nthreads": 1, "memory_limit": memory, "silence_logs": logging.CRITICAL, "preload": [TASK]}
    return [{**plain, "env": ONE_THREAD | each} for each in seen]


def parse_time_limit(text: str) -> float | None:
    """Parse the time limit for a recording. Return seconds, or None for no limit.

    Raises
    ------
    InvalidOption
        If the text is not a time.
    """
    if not text:
        return None
    _import_dask()
    from dask.utils import parse_timedelta

    try:
        seconds = float(parse_timedelta(text, default=False))
    except (ValueError, KeyError, TypeError):
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise InvalidOption(f"--time-limit must be a time such as 2h or 90m, got {text!r}.")
    return seconds


def describe_jobs(options: ClusterOptions) -> dict[str, Any]:
    """Describe one SLURM job to dask-jobqueue. Anything that is not set here comes from its configuration."""
    return {
        "cores": 1,
        "processes": 1,
        "job_extra_directives": options.slurm_options or [],
        "job_script_prologue": [f"export {name}={value}" for name, value in ONE_THREAD.items()],
        **({"memory": options.memory} if options.memory else {}),
    }


def _import_dask() -> None:
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise InvalidOption(
            "Workers are those of Dask. Install it: pip install bokeh dask-jobqueue distributed"
        ) from error


@contextmanager
def _silence_logs() -> Iterator[None]:
    """Silence the messages of Dask about lost connections. They contain tracebacks that are of no use to users."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in LOGGERS]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _start_processes(options: ClusterOptions, uses_gpu: bool) -> Any:
    """Start worker processes on this machine, each with one thread and its share of the memory.

    Dask restarts lost ones.
    """
    from distributed import Nanny, Scheduler, SpecCluster

    described = describe_workers(options, list_gpus() if uses_gpu else [])
    scheduler = {
        "cls": Scheduler,
        "options": {"host": "127.0.0.1", "port": 0, "dashboard": True, "dashboard_address": DASHBOARD},
    }
    workers = {number: {"cls": Nanny, "options": each} for number, each in enumerate(described)}
    return SpecCluster(workers=workers, scheduler=scheduler, silence_logs=logging.ERROR)


def _start_jobs(options: ClusterOptions, _: bool) -> Any:
    """Start workers as SLURM jobs. Settings that are not given here come from the configuration of dask-jobqueue."""
    try:
        from dask_jobqueue.slurm import SLURMCluster, SLURMJob
    except ImportError as error:
        raise InvalidOption(
            "Jobs of SLURM are submitted through dask-jobqueue. Install it: pip install bokeh dask-jobqueue distributed"
        ) from error
    if shutil.which("sbatch") is None:
        raise InvalidOption(
            "--slurm submits jobs with sbatch, which this machine does not have. Run it where you submit jobs."
        )
    try:
        SLURMJob(scheduler="tcp://none:0", name="none", **describe_jobs(options)).job_script()
    except ValueError as error:  # a setting is missing
        why = str(error).partition(", for example")[0]
        raise InvalidOption(
            f"The SLURM jobs cannot be set up: {why}. Give the memory of each, such as --memory 16GB."
        ) from error
    return SLURMCluster(**describe_jobs(options), n_workers=options.workers)
