"""The processes that torchrun starts; what they compute together is tested with the loop."""

import os
import subprocess
import sys

import pytest
import torch

from nwb_neurid.errors import InvalidOption
from nwb_neurid.training.processes import join_processes, read_slurm


def test_one_process_is_the_first(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    with join_processes("auto") as first:
        assert first


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    expected = (
        r"more processes than this node has GPUs \(1\)\. Start one for each \(--nproc-per-node 1\), or .*--device cpu"
    )
    with pytest.raises(InvalidOption, match=expected), join_processes("auto"):
        pass


def test_the_variables_of_slurm_are_those_of_torchrun():
    step = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1", "SLURM_JOB_ID": "40007"}
    for nodes, first in (("gpu[07-08,11]", "gpu07"), ("a1,b2", "a1"), ("one", "one"), ("n[1,5]", "n1")):
        found = read_slurm({**step, "SLURM_STEP_NODELIST": nodes})
        assert found == {
            "WORLD_SIZE": "4",
            "RANK": "3",
            "LOCAL_RANK": "1",
            "MASTER_ADDR": first,
            "MASTER_PORT": "20007",
        }
    assert read_slurm({**step, "WORLD_SIZE": "4"}) == {}
    assert read_slurm({**step, "SLURM_STEP_NUM_TASKS": "1"}) == {}
    assert read_slurm({"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}) == {}  # a batch script, outside of srun
    with pytest.raises(InvalidOption, match="does not say on which nodes"):
        read_slurm(step)


def test_a_step_of_slurm_with_two_tasks_trains_together(tmp_path):
    script = (
        "from nwb_neurid.training.processes import Processes, join_processes\n"
        "import torch\n"
        "with join_processes('cpu') as first:\n"
        "    print(first, Processes().sum(1, torch.device('cpu')))\n"
    )
    step = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NODELIST": "localhost", "SLURM_JOB_ID": str(os.getpid())}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env={**os.environ, **step, "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    assert [process.communicate(timeout=120)[0].split() for process in both] == [["True", "2"], ["False", "2"]]
