"""The options for the cluster, as one value that is passed from the command line to the workers."""

from dataclasses import dataclass
from pathlib import Path

from nwb_neurid.errors import InvalidOption

EMBEDDED, EARLIER, REFUSED, SAME = "embedded", "embedded earlier", "failed", "same recording"
"""Possible outcomes for a recording."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """Options for the workers, for repeated attempts, and for the manifest.

    Parameters
    ----------
    workers
        Worker processes on this machine; with `slurm`, jobs.
    scheduler
        Address of an existing Dask scheduler.
    slurm
        Submit the workers as jobs to SLURM.
    slurm_options
        Options of sbatch for each job, such as "--partition=gpu".
    memory
        Memory of each worker, such as "8GB"; "" for a fair share of this machine.
    retries
        How often a recording is tried again after a temporary problem, such as a broken connection or a lost worker.
    time_limit
        Time limit for a recording, such as "2h"; "" for no limit.
    manifest
        The file with the manifest; None for the one of the dataset, or `neurid-manifest.sqlite` in the current folder.

    Examples
    --------
    >>> ClusterOptions(workers=4).is_asked
    True
    """

    workers: int | None = None
    scheduler: str = ""
    slurm: bool = False
    slurm_options: list[str] | None = None
    memory: str = ""
    retries: int = 3
    time_limit: str = ""
    manifest: Path | None = None

    @property
    def is_asked(self) -> bool:
        """Return whether workers are used."""
        return self.workers is not None or bool(self.scheduler) or self.slurm

    def check(self) -> None:
        """Refuse options that contradict one another.

        Raises
        ------
        InvalidOption
            If options contradict one another.
        """
        if not self.is_asked:
            if self.memory or self.slurm_options or self.time_limit or self.manifest is not None:
                raise InvalidOption(
                    "--memory, --slurm-option, --time-limit and --manifest are for workers: add --workers N, "
                    "--scheduler ADDRESS or --slurm."
                )
            return
        if self.scheduler and (self.workers is not None or self.slurm or self.memory):
            raise InvalidOption(
                "A Dask scheduler has its own workers: with --scheduler, leave out --workers, --slurm and --memory."
            )
        if self.slurm_options and not self.slurm:
            raise InvalidOption("--slurm-option is passed on to sbatch: add --slurm, or leave out --slurm-option.")
        if self.slurm and self.workers is None:
            raise InvalidOption("--slurm needs the number of jobs: add --workers N.")
