"""Pictures of the vectors."""

import numpy as np
import pytest

from nwb_neurid.errors import CannotWrite
from nwb_neurid.plots.embedding import draw_embedding, project_vectors

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def clouds():
    """Two clouds of 20 vectors each, far apart."""
    vectors = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    vectors[20:] += 30
    return vectors


def test_what_lies_apart_stays_apart(clouds):
    points = project_vectors(clouds, seed=0)
    assert points.shape == (40, 2)
    spread = max(np.linalg.norm(half - half.mean(axis=0), axis=1).max() for half in (points[:20], points[20:]))
    assert np.linalg.norm(points[:20].mean(axis=0) - points[20:].mean(axis=0)) > 2 * spread


def test_one_seed_is_one_picture(clouds):
    np.testing.assert_array_equal(project_vectors(clouds, seed=3), project_vectors(clouds, seed=3))


def test_a_handful_of_vectors_is_enough(clouds):
    assert np.isfinite(project_vectors(clouds[:4], seed=0)).all()


@pytest.mark.parametrize("name", ["picture.png", "picture", "picture.v2"])
def test_a_picture_is_a_png_whatever_it_is_called(tmp_path, name):
    draw_embedding(
        np.random.default_rng(0).normal(size=(12, 2)), np.array(["PV", "SST", ""] * 4), tmp_path / name, title="Types"
    )
    assert (tmp_path / name).read_bytes().startswith(PNG)


def test_units_without_any_label_are_drawn_too(tmp_path):
    draw_embedding(np.zeros((3, 2)), np.full(3, ""), tmp_path / "picture.png", title="Unknown")
    assert (tmp_path / "picture.png").read_bytes().startswith(PNG)


def test_more_types_than_colours_are_drawn(tmp_path):
    labels = np.array([f"type {index}" for index in range(20)])
    draw_embedding(np.zeros((20, 2)), labels, tmp_path / "picture.png", title="Many")
    assert (tmp_path / "picture.png").read_bytes().startswith(PNG)


def test_a_picture_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(CannotWrite, match=r"picture\.png cannot be written: No such file or directory\."):
        draw_embedding(np.zeros((1, 2)), np.array(["PV"]), tmp_path / "nowhere" / "picture.png", title="Lost")
