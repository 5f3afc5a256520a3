import numpy as np
import pytest

from nwb_neurid.errors import NeuridWarning

SAMPLES = 12
CHANNELS = 4
POSITIONS = [[10.0, 0.0], [30.0, 0.0], [10.0, 20.0], [30.0, 20.0]]


def spike(channel, size=1.0):
    """A whitened template of one channel."""
    template = np.zeros((SAMPLES, CHANNELS), np.float32)
    template[5, channel] = -size
    return template


@pytest.fixture
def kilosort(phy_folder):
    """Writes a folder of three templates on channels 0, 1 and 3, and clusters 2, 5 and 7 found with them."""

    def write(clusters=(5, 2, 5, 7), **arrays):
        folder = phy_folder(samples=[100, 200, 300, 300], clusters=list(clusters))
        written = {
            "templates": np.stack([spike(0), spike(1), spike(3)]),
            "whitening_mat_inv": np.eye(CHANNELS),
            "channel_positions": np.array(POSITIONS),
            "spike_templates": np.array([1, 0, 1, 2], np.uint32),
            "amplitudes": np.array([[2.0], [1.0], [4.0], [1.0]]),
            **arrays,
        }
        for name, array in written.items():
            if array is not None:
                np.save(folder / f"{name}.npy", array)
        return folder

    return write


def test_the_peak_channel_and_where_it_is(kilosort, read):
    population = read(kilosort())
    assert population.unit_ids.tolist() == [2, 5, 7]
    assert population.positions_um.tolist() == [[10, 0, 0], [30, 0, 0], [30, 20, 0]]
    assert population.waveforms_uv[:, 5].tolist() == [-1.0, -3.0, -1.0]  # times the mean amplitude
    assert population.waveform_rate_hz == 1000.0


def test_templates_are_taken_out_of_whitened_space(kilosort, read):
    mixing = np.eye(CHANNELS)
    mixing[0, 2] = 5.0  # what is on channel 0 once whitened comes mostly from channel 2
    population = read(kilosort(whitening_mat_inv=mixing))
    assert population.positions_um[0].tolist() == [10, 20, 0]
    assert population.waveforms_uv[0, 5] == -5.0


def test_the_whitening_matrix_is_inverted_where_its_inverse_is_missing(kilosort, read):
    population = read(kilosort(whitening_mat_inv=None, whitening_mat=0.5 * np.eye(CHANNELS)))
    assert population.waveforms_uv[0, 5] == -2.0


def test_a_merged_cluster_has_the_mean_of_its_templates(kilosort, read):
    population = read(kilosort(clusters=(2, 2, 2, 7), amplitudes=None))
    assert population.unit_ids.tolist() == [2, 7]
    np.testing.assert_allclose(population.waveforms_uv[0, 5], -2 / 3)
    assert population.positions_um[0].tolist() == [30, 0, 0]


def test_columns_of_a_few_channels_each(kilosort, read):
    narrow = np.zeros((3, SAMPLES, 2), np.float32)
    narrow[:, 5] = [[-1.0, 0.0], [-1.0, -0.5], [-9.0, -1.0]]
    channels = np.array([[0, 1], [1, -1], [-1, 3]])
    population = read(kilosort(templates=narrow, templates_ind=channels))
    assert population.positions_um.tolist() == [[10, 0, 0], [30, 0, 0], [30, 20, 0]]


def test_numbers_of_channels_beside_all_of_them_say_nothing(kilosort, read):
    population = read(kilosort(templates_ind=np.tile([3, 2, 1, 0], (3, 1))))
    assert population.positions_um.tolist() == [[10, 0, 0], [30, 0, 0], [30, 20, 0]]


def test_clusters_without_a_template_have_no_waveform(kilosort, read):
    templates = np.stack([0 * spike(0), spike(1), spike(3)])
    population = read(kilosort(templates=templates))
    assert np.isnan(population.waveforms_uv).all(axis=1).tolist() == [True, False, False]
    assert np.isnan(population.positions_um).all(axis=1).tolist() == [True, False, False]


@pytest.mark.parametrize("positions", [None, np.zeros((CHANNELS, 2))])
def test_positions_need_not_be_known(kilosort, read, positions):
    population = read(kilosort(channel_positions=positions))
    assert population.positions_um is None
    assert population.waveforms_uv is not None


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"whitening_mat_inv": None}, "has no whitening_mat_inv.npy, without which the shape"),
        ({"whitening_mat_inv": np.eye(3)}, "has 4 channels, whitening_mat_inv.npy has 3"),
        ({"whitening_mat_inv": np.ones((4, 3))}, "must be a square matrix"),
        ({"whitening_mat_inv": np.full((4, 4), np.nan)}, "must hold finite numbers"),
        ({"whitening_mat_inv": None, "whitening_mat": np.ones((4, 4))}, "has no inverse"),
        ({"templates": np.ones((3, 4))}, "must be numbers of shape \\(templates, samples, channels\\)"),
        ({"templates": np.array([["a"]])}, "must be numbers of shape"),
        ({"spike_templates": None}, "has no spike_templates.npy"),
        ({"spike_templates": np.array([0, 0, 0, 3])}, "must hold one of 3 template indices for each of 4 spikes"),
        ({"spike_templates": np.array([0, 0, 0])}, "must hold one of 3 template indices for each of 4 spikes"),
        ({"amplitudes": np.ones(3)}, "must hold a finite number for each of 4 spikes"),
        ({"amplitudes": np.full(4, np.nan)}, "must hold a finite number for each of 4 spikes"),
        ({"channel_positions": np.ones((3, 2))}, "must be numbers of shape \\(4, 2\\)"),
        ({"templates": np.ones((3, 5, 2)), "templates_ind": np.ones((2, 2))}, "must have shape \\(3, 2\\)"),
    ],
)
def test_templates_that_cannot_be_used_are_left_out_with_a_warning(kilosort, read, arrays, words):
    with pytest.warns(NeuridWarning, match=f"Templates are left out: .*{words}"):
        population = read(kilosort(**arrays))
    assert population.waveforms_uv is None
    assert population.unit_ids.tolist() == [2, 5, 7]
