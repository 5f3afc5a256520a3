"""How workers are described to Dask: one thread, one GPU, a share of the memory."""

import sys

import pytest

from nwb_neurid.errors import InvalidOption
from nwb_neurid.workflows.archive import cluster
from nwb_neurid.workflows.archive.cluster import describe_jobs, describe_workers, list_gpus, start_cluster
from nwb_neurid.workflows.archive.options import ClusterOptions

pytest.importorskip("distributed", reason="workers need nwb-neurid[cluster]")


def test_each_worker_computes_in_one_thread_and_sees_one_gpu():
    found = describe_workers(ClusterOptions(workers=3, memory="2GB"), ["4", "GPU-5"])
    assert [each["env"]["CUDA_VISIBLE_DEVICES"] for each in found] == ["4", "GPU-5", "4"]
    assert {each["env"]["OMP_NUM_THREADS"] for each in found} == {"1"}
    assert {each["nthreads"] for each in found} == {1}
    assert {each["memory_limit"] for each in found} == {2 * 10**9}


def test_the_memory_of_the_machine_is_shared():
    (alone,), both = (describe_workers(ClusterOptions(workers=count), []) for count in (1, 1000))
    assert "CUDA_VISIBLE_DEVICES" not in alone["env"]
    assert both[0]["memory_limit"] < alone["memory_limit"]


@pytest.mark.parametrize(
    ("named", "count", "gpus"), [(None, 2, ["0", "1"]), ("2,3", 2, ["2", "3"]), ("2,3", 1, ["2"]), (None, 0, [])]
)
def test_gpus_are_those_that_this_process_may_use(monkeypatch, named, count, gpus):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert list_gpus() == gpus


def test_a_job_of_slurm_is_one_worker_with_what_was_asked():
    slurm = pytest.importorskip("dask_jobqueue.slurm", reason="jobs need nwb-neurid[cluster]")
    options = ClusterOptions(workers=2, slurm=True, memory="16GB", slurm_options=["--partition=gpu", "--gres=gpu:1"])
    script = slurm.SLURMJob(scheduler="tcp://10.0.0.1:8786", name="worker", **describe_jobs(options)).job_script()
    for line in ("#SBATCH --partition=gpu", "#SBATCH --gres=gpu:1", "#SBATCH --mem=15G", "export OMP_NUM_THREADS=1"):
        assert line in script.splitlines()
    assert "--nthreads 1" in script
    assert "tcp://10.0.0.1:8786" in script


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(cluster.shutil, "which", lambda _: "/usr/bin/sbatch")
    monkeypatch.setitem(sys.modules, "dask_jobqueue.slurm", None)
    with (
        pytest.raises(InvalidOption, match="Install it: pip install bokeh dask-jobqueue distributed"),
        start_cluster(ClusterOptions(workers=1, slurm=True)),
    ):
        pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(InvalidOption, match=r"Workers are those of Dask\. Install it: pip install bokeh dask-jobqueue"),
        start_cluster(ClusterOptions(workers=1)),
    ):
        pass


def test_a_job_without_memory_is_one_line(monkeypatch):
    pytest.importorskip("dask_jobqueue", reason="jobs need nwb-neurid[cluster]")
    monkeypatch.setattr(cluster.shutil, "which", lambda _: "/usr/bin/sbatch")
    with (
        pytest.raises(InvalidOption, match=r"The SLURM jobs cannot be set up: .*such as --memory 16GB"),
        start_cluster(ClusterOptions(workers=1, slurm=True)),
    ):
        pass
