"""Options of the cluster that contradict one another are refused."""

import pytest

from nwb_neurid.errors import InvalidOption
from nwb_neurid.workflows.archive.options import ClusterOptions


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"memory": "8GB"}, "are for workers: add --workers N"),
        ({"time_limit": "2h"}, "--time-limit and --manifest are for workers"),
        ({"scheduler": "tcp://a:1", "workers": 2}, "A Dask scheduler has its own workers"),
        ({"workers": 2, "slurm_options": ["--partition=gpu"]}, "--slurm-option is passed on to sbatch"),
        ({"slurm": True}, "--slurm needs the number of jobs"),
    ],
)
def test_contradictions_are_refused(given, said):
    with pytest.raises(InvalidOption, match=said):
        ClusterOptions(**given).check()


def test_nothing_is_asked_by_default():
    ClusterOptions().check()
    assert not ClusterOptions().is_asked
