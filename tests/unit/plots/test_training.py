import numpy as np
import pytest

from nwb_neurid.errors import CannotWrite
from nwb_neurid.plots.training import draw_loss


@pytest.mark.parametrize("steps", [1, 3, 500])
def test_a_curve_is_drawn_of_any_length(tmp_path, steps):
    loss = np.linspace(4, 1, steps)
    loss[steps // 2] = np.nan
    draw_loss(loss, tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CannotWrite, match=r"loss.png cannot be written: No such file or directory"):
        draw_loss(np.ones(3), tmp_path / "missing" / "loss.png")
