"""Where units sit: by ids that are no rows, by rows, by references, and never by mistake."""

import h5py
import numpy as np
import pytest

from nwb_neurid.errors import NeuridWarning

TABLE = "general/extracellular_ephys/electrodes"


@pytest.fixture
def placed(sound, electrodes):
    """`sound` with `electrodes`: unit 0 refers to electrode row 2, unit 1 to 0, unit 2 to none, unit 3 to 4."""
    references = {"units/electrodes": [2, 0, 4], "units/electrodes_index": [1, 2, 2, 3]}
    return {**sound, **electrodes, **references}


@pytest.fixture
def anywhere(placed):
    """`placed`, but that unit 0 refers to electrode rows 2 and 4, 1 to 0 and 1, 2 to none, 3 to 4 and 2."""
    return {**placed, "units/electrodes": [2, 4, 0, 1, 4, 2], "units/electrodes_index": [2, 4, 4, 6]}


def regions(population):
    return population.labels["brain_region"].tolist()


def with_omissions(read, path):
    """What is read, and what the one warning says that was left out."""
    with pytest.warns(NeuridWarning) as warned:
        population = read(path)
    (message,) = [str(one.message) for one in warned]
    head = f"{path}: some data cannot be used and are left out:\n  - "
    assert message.startswith(head)
    return population, message.removeprefix(head)


def test_references_lead_to_the_electrode(read, hdf5, placed):
    population = read(hdf5(placed))
    assert regions(population) == ["DG", "CA1", "", "VISp"]
    assert population.group.tolist() == ["left", "left", "", "right"]
    np.testing.assert_array_equal(population.positions_um[[0, 1, 3]], [[30, 3, 0], [10, 1, 0], [50, 5, 0]])
    assert np.isnan(population.positions_um[2]).all()


def test_references_without_an_index_are_one_for_each_unit(read, hdf5, placed):
    placed.update({"units/electrodes": [4, 2, 1, 0], "units/electrodes_index": None})
    assert regions(read(hdf5(placed))) == ["VISp", "DG", "CA3", "CA1"]


def test_peak_channel_ids_are_looked_up_and_come_first(read, hdf5, anywhere):
    anywhere["units/peak_channel_id"] = [100, 103, 104, 102]
    assert regions(read(hdf5(anywhere))) == ["VISp", "CA3", "CA1", "DG"]


@pytest.mark.parametrize(
    "ids", [[[100], [103], [104], [102]], np.array([100, 103, 104, 102.0]), np.uint16([100, 103, 104, 102])]
)
def test_peak_channel_ids_come_however_they_are_stored(read, hdf5, anywhere, ids):
    assert regions(read(hdf5({**anywhere, "units/peak_channel_id": ids}))) == ["VISp", "CA3", "CA1", "DG"]


def test_ids_are_never_taken_for_rows(read, hdf5, placed):
    placed.update({f"{TABLE}/id": [4, 3, 2, 1, 0], "units/peak_channel_id": [2, 4, 2, 0]})
    assert regions(read(hdf5(placed))) == ["DG", "CA1", "DG", "VISp"]
    placed.update({"units/peak_channel_id": None, f"{TABLE}/id": [2, 0, 4, 9, 9]})
    assert regions(read(hdf5(placed))) == ["DG", "CA1", "", "VISp"]


def test_an_id_that_is_not_there_or_twice_names_no_electrode(read, hdf5, placed):
    placed.update({"units/electrodes": None, "units/electrodes_index": None})
    placed.update({f"{TABLE}/id": [104, 103, 102, 102, 100], "units/peak_channel_id": [104.0, 99.0, 102.0, np.nan]})
    population = read(hdf5(placed))
    assert regions(population) == ["CA1", "", "", ""]
    assert np.isnan(population.positions_um[1:]).all()


def test_where_the_id_leads_nowhere_the_reference_counts(read, hdf5, placed):
    placed["units/peak_channel_id"] = [99, 104, 99, np.nan]
    assert regions(read(hdf5(placed))) == ["DG", "CA1", "", "VISp"]


def test_max_electrode_is_a_row_and_comes_before_references(read, hdf5, anywhere):
    anywhere["units/max_electrode"] = [4, 1, 4, 2]
    assert regions(read(hdf5(anywhere))) == ["VISp", "CA3", "VISp", "DG"]


def test_a_missing_max_electrode_is_none(read, hdf5, placed):
    placed.update({"units/electrodes": None, "units/electrodes_index": None})
    placed["units/max_electrode"] = [1.0, -1.0, np.nan, 0.0]
    assert regions(read(hdf5(placed))) == ["CA3", "", "", "CA1"]


@pytest.mark.parametrize(
    ("column", "row"), [("max_electrode", 5), ("max_electrode", -2), ("electrodes", 5), ("electrodes", 2**40)]
)
def test_rows_that_do_not_exist_are_left_out(read, hdf5, placed, column, row):
    placed.update({"units/electrodes": None, "units/electrodes_index": None, f"units/{column}": [0, row, 1, 2]})
    path = hdf5(placed)
    population, told = with_omissions(read, path)
    assert told == (
        f"{path}: /units refers to electrode row {row}, but {path}: /{TABLE} has 5 rows. Validate the file."
    )
    assert "brain_region" not in population.labels


@pytest.fixture
def several(placed):
    """Units 0 and 3 with three electrodes each, unit 1 with one; the mean waveform of unit 0 peaks on its second."""
    waveforms = np.zeros((4, 6, 3))
    waveforms[0, 2:4, :] = [[1, -9, 2], [-1, 9, -2]]
    waveforms[1, 2:4, :] = [[1, 50, 50], [-1, 50, -50]]
    waveforms[3, 2:4, :] = [[3, 0, 0], [-3, 0, 8]]
    rows = {"units/electrodes": [0, 1, 2, 4, 2, 3, 4], "units/electrodes_index": [3, 4, 4, 7]}
    return {**placed, **rows, "units/waveform_mean": waveforms}


def test_of_several_electrodes_the_one_with_the_largest_waveform(read, hdf5, several):
    assert regions(read(hdf5(several))) == ["CA3", "VISp", "", "VISp"]


def test_waveforms_that_are_nan_are_small(read, hdf5, several):
    several["units/waveform_mean"][0, 1, 1] = np.nan
    several["units/waveform_mean"][3, :, 2] = np.nan
    several["units/waveform_mean"][3, 0, 1] = np.inf
    assert regions(read(hdf5(several))) == ["CA3", "VISp", "", "DG"]


def test_waveforms_are_read_in_pieces(read, hdf5, several, monkeypatch):
    monkeypatch.setattr("nwb_neurid.readers.nwb.peaks.UNITS_AT_ONCE", 3)
    assert regions(read(hdf5(several))) == ["CA3", "VISp", "", "VISp"]


@pytest.mark.parametrize(
    "change",
    [
        {"units/waveform_mean": None},
        {"units/waveform_mean": np.ones((4, 6))},
        {"units/waveform_mean": np.ones((3, 6, 3))},
        {"units/waveform_mean": np.ones((4, 0, 3))},
        {"units/waveform_mean": np.ones((4, 6, 3))},
        {"units/waveform_mean_index": [1, 2, 3, 4]},
    ],
    ids=["none", "of one electrode", "of other units", "empty", "all the same", "ragged"],
)
def test_otherwise_the_first(read, hdf5, several, change):
    assert regions(read(hdf5({**several, **change}))) == ["CA1", "VISp", "", "DG"]


@pytest.mark.parametrize("name", ["location", "region", "brain_region", "brain_area", "structure_acronym"])
def test_a_region_of_the_unit_comes_before_that_of_its_electrode(read, hdf5, placed, name):
    placed[f"units/{name}"] = ["MOs", "unknown", "ACA", "void"]
    assert regions(read(hdf5(placed))) == ["MOs", "", "ACA", ""]


def test_regions_are_taken_from_the_first_column_that_knows_any(read, hdf5, placed):
    placed.update(
        {"units/brain_area": ["unknown"] * 4, "units/region": ["", "CA2", "", ""], "units/location": ["tip"] * 4}
    )
    assert regions(read(hdf5(placed))) == ["", "CA2", "", ""]
    placed["units/brain_region"] = ["SUB"] * 4
    assert regions(read(hdf5(placed))) == ["SUB"] * 4


def test_a_location_in_numbers_is_no_region(read, hdf5, placed):
    placed["units/location"] = [1.0, 2.0, 3.0, 4.0]
    assert regions(read(hdf5(placed))) == ["DG", "CA1", "", "VISp"]


@pytest.mark.parametrize("location", [["unknown", "", "void", "root", "None"], [1, 2, 3, 4, 5], None])
def test_where_nothing_is_known_there_is_no_label(read, hdf5, placed, location):
    assert "brain_region" not in read(hdf5({**placed, f"{TABLE}/location": location})).labels


def test_without_electrodes_there_is_neither_position_nor_group(read, hdf5, sound):
    population = read(hdf5({**sound, "units/electrodes": [0, 0, 0, 0]}))
    assert population.positions_um is None
    assert population.group is None
    assert "brain_region" not in population.labels


def test_without_references_nothing_is_known_of_any_unit(read, hdf5, sound, electrodes):
    population = read(hdf5({**sound, **electrodes}))
    assert population.positions_um is None
    assert population.group is None


REL = {f"{TABLE}/rel_x": [1.0, 2, 3, 4, 5], f"{TABLE}/rel_y": [9.0, 8, 7, 6, 5]}
NO_XYZ = {f"{TABLE}/{axis}": None for axis in "xyz"}


@pytest.mark.parametrize(
    "xyz",
    [
        NO_XYZ,
        {f"{TABLE}/{axis}": [np.nan] * 5 for axis in "xyz"},
        {f"{TABLE}/{axis}": [0.0] * 5 for axis in "xyz"},
        {f"{TABLE}/{axis}": [-1.0] * 5 for axis in "xyz"},
        {f"{TABLE}/z": [np.nan] * 5},
        {f"{TABLE}/x": [1e300] * 5},
        {**NO_XYZ, f"{TABLE}/x": [1.0, 2, 3, 4, 5]},
    ],
    ids=["none", "NaN", "zero", "all the same", "no depth", "beyond float32", "one axis"],
)
def test_where_x_y_z_say_nothing_rel_x_rel_y_count(read, hdf5, placed, xyz):
    population = read(hdf5({**placed, **xyz, **REL}))
    np.testing.assert_array_equal(population.positions_um[[0, 1, 3]], [[3, 7, 0], [1, 9, 0], [5, 5, 0]])
    assert read(hdf5({**placed, **xyz}, "without.nwb")).positions_um is None


def test_an_axis_that_is_missing_is_zero(read, hdf5, placed):
    population = read(hdf5({**placed, f"{TABLE}/y": None, f"{TABLE}/z": [5.0, 6, 7, 8, 9]}))
    assert population.positions_um[0].tolist() == [30, 0, 7]


def test_electrodes_without_a_position_have_none(read, hdf5, placed):
    population = read(hdf5({**placed, f"{TABLE}/x": [10.0, np.nan, np.nan, 40.0, 50.0]}))
    assert np.isnan(population.positions_um).any(axis=1).tolist() == [True, False, True, False]


@pytest.mark.parametrize(("x", "known"), [(0.0, False), (7.0, True)])
def test_one_electrode_alone_has_a_position_unless_it_is_zero(read, hdf5, sound, electrodes, x, known):
    one = {path: values[:1] for path, values in electrodes.items()}
    path = hdf5({**sound, **one, f"{TABLE}/x": [x], f"{TABLE}/y": [0.0], "units/electrodes": [0, 0, 0, 0]})
    assert (read(path).positions_um is not None) == known


@pytest.mark.parametrize(("name", "values"), [("x", ["a"] * 5), ("y", [1.0, 2.0]), ("z", np.zeros((5, 3)))])
def test_positions_that_are_none_are_left_out(read, hdf5, placed, name, values):
    path = hdf5({**placed, f"{TABLE}/{name}": values})
    population, told = with_omissions(read, path)
    assert told.startswith(f"{path}: /{TABLE}/{name} must h")
    assert population.positions_um[0].tolist() == [
        0 if axis == name else at for axis, at in zip("xyz", (30, 3, 0), strict=True)
    ]


NOT_NUMBERS = {
    "units/peak_channel_id": ["AP1", "AP5", "AP7", "AP9"],
    "units/max_electrode": [0.5, 1.0, 2.0, 3.0],
    "units/electrodes": ["a", "b", "c"],
    "units/electrodes_index": [3, 2, 1, 0],
    f"{TABLE}/location": ["CA1", "CA3"],
    f"{TABLE}/group_name": ["left"] * 4,
    "units/cell_type": ["PV"] * 3,
}


@pytest.mark.parametrize("place", NOT_NUMBERS)
def test_what_serves_places_and_labels_alone_does_not_block(read, hdf5, placed, place):
    path = hdf5({**placed, place: NOT_NUMBERS[place]})
    population, told = with_omissions(read, path)
    assert told.startswith(f"{path}: /{place} must ")
    assert population.spikes.counts().tolist() == [3, 2, 0, 1]


TWO_PROBES = {
    f"{TABLE}/id": range(8),
    f"{TABLE}/location": ["CA1"] * 4 + ["V1"] * 4,
    f"{TABLE}/group_name": ["probe0"] * 4 + ["probe1"] * 4,
    f"{TABLE}/x": [0.0] * 4 + [100.0] * 4,
    f"{TABLE}/y": [0.0, 20, 40, 60] * 2,
}
COUNTED = (
    r"contradicts the electrodes or groups of \d of 4 units if .*, so they are read as channel numbers within each"
)
NOT_BELIEVED = r"contradicts the electrodes or groups of \d of 4 units, and is ignored for those"


def groups_of_units(*names):
    """Contents in which each unit refers to one of these groups."""

    def referred(file):
        return {
            "data": [file.require_group(f"general/extracellular_ephys/{name}").ref for name in names],
            "dtype": h5py.ref_dtype,
        }

    return referred


@pytest.fixture
def of_two_probes(hdf5, sound):
    """Writes `sound` with electrodes of two probes and some columns of units."""

    def write(group=None, **columns):
        path = hdf5({**sound, **TWO_PROBES, **{f"units/{name}": values for name, values in columns.items()}})
        if group is not None:
            with h5py.File(path, "r+") as file:
                file["units"].create_dataset("electrode_group", **groups_of_units(*group)(file))
        return path

    return write


BY_PROBE = ["CA1", "CA1", "V1", "V1"]
ONE_EACH = {"electrodes": [0, 1, 4, 5], "electrodes_index": [1, 2, 3, 4]}
ALL_OF_THE_PROBE = {"electrodes": [*range(4)] * 2 + [*range(4, 8)] * 2, "electrodes_index": [4, 8, 12, 16]}


@pytest.mark.parametrize("column", ["peak_channel_id", "max_electrode"])
@pytest.mark.parametrize(
    "beside",
    [
        ONE_EACH,
        ALL_OF_THE_PROBE,
        {"group": ["probe0", "probe0", "probe1", "probe1"]},
        {"probe_name": ["probe0", "probe0", "probe1", "probe1"]},
    ],
    ids=["an electrode each", "all electrodes of the probe", "its group", "its probe"],
)
def test_channels_that_are_counted_per_probe_are_found_on_it(of_two_probes, read, column, beside):
    path = of_two_probes(**beside, **{column: [0, 1, 0, 1]})
    with pytest.warns(NeuridWarning, match=f"{column} {COUNTED}"):
        population = read(path)
    assert regions(population) == BY_PROBE
    assert population.group.tolist() == ["probe0", "probe0", "probe1", "probe1"]
    assert population.positions_um.tolist() == [[0, 0, 0], [0, 20, 0], [100, 0, 0], [100, 20, 0]]


@pytest.mark.parametrize("numbers", [[3, 2, 6, 7], [0, 1, 5, 4], [4, 5, 0, 1], [1, 2, 1, 2], [0, 1, 300, 7]])
def test_a_peak_that_is_none_of_the_electrodes_of_its_unit_is_not_believed(of_two_probes, read, numbers):
    path = of_two_probes(**ONE_EACH, peak_channel_id=numbers)
    with pytest.warns(NeuridWarning, match=f"peak_channel_id {NOT_BELIEVED}"):
        population = read(path)
    assert regions(population) == BY_PROBE
    np.testing.assert_array_equal(population.positions_um[:, 1], [0, 20, 0, 20])


def test_a_peak_on_another_probe_than_its_unit_names_is_not_believed(of_two_probes, read):
    path = of_two_probes(group=["probe0", "probe0", "probe1", "probe1"], peak_channel_id=[0, 5, 6, 7])
    with pytest.warns(NeuridWarning, match=f"peak_channel_id {NOT_BELIEVED}"):
        population = read(path)
    assert regions(population) == ["CA1", "", "V1", "V1"]
    assert population.group.tolist() == ["probe0", "probe0", "probe1", "probe1"]


def test_peaks_that_agree_are_believed_without_a_word(of_two_probes, read):
    path = of_two_probes(**ALL_OF_THE_PROBE, peak_channel_id=[3, 2, 7, 4])
    assert read(path).positions_um[:, 1].tolist() == [60, 40, 60, 0]


def test_electrodes_are_found_by_the_type_of_the_column(hdf5, read, sound):
    path = hdf5({**sound, **TWO_PROBES, "units/channels": [5, 0, 4, 1]})
    assert "brain_region" not in read(path).labels
    with h5py.File(path, "r+") as file:
        file["units/channels"].attrs["neurodata_type"] = "DynamicTableRegion"
        file["units/channels"].attrs["table"] = file[TABLE].ref
    assert regions(read(path)) == ["V1", "CA1", "V1", "CA1"]


def test_electrodes_are_those_of_the_table_that_is_referred_to(hdf5, read, sound):
    other = {path.replace(TABLE, "scratch/electrodes"): values for path, values in TWO_PROBES.items()}
    path = hdf5(
        {**sound, **TWO_PROBES, **other, "scratch/electrodes/location": ["M1"] * 8, "units/electrodes": [0] * 4}
    )
    assert regions(read(path)) == ["CA1"] * 4
    with h5py.File(path, "r+") as file:
        file["units/electrodes"].attrs["table"] = file["scratch/electrodes"].ref
    assert regions(read(path)) == ["M1"] * 4


@pytest.mark.parametrize(
    ("scale", "told"),
    [(1.0, ""), (1e-3, "read as millimetres"), (1e-6, "read as metres"), (1e-9, "")],
)
def test_positions_in_larger_units_are_known_by_their_spacing(of_two_probes, hdf5, sound, read, scale, told):
    table = {
        **TWO_PROBES,
        f"{TABLE}/x": scale * np.repeat([0.0, 100], 4),
        f"{TABLE}/y": scale * np.tile([0.0, 20, 40, 60], 2),
    }
    path = hdf5({**sound, **table, "units/electrodes": [0, 1, 4, 5]})
    if told:
        with pytest.warns(NeuridWarning, match=rf"x, y, z: neighbouring sites are {20 * scale:g} apart, .*{told}"):
            population = read(path)
    else:
        population = read(path)
    expected = np.array([[0, 0, 0], [0, 20, 0], [100, 0, 0], [100, 20, 0]]) * (1 if told else scale)
    np.testing.assert_allclose(population.positions_um, expected, rtol=1e-6)


def test_positions_that_are_near_and_far_are_left_as_they_are(hdf5, sound, read):
    table = {**TWO_PROBES, f"{TABLE}/x": np.repeat([0.0, 5000], 4), f"{TABLE}/y": np.tile([0.0, 0.1, 0.2, 0.3], 2)}
    population = read(hdf5({**sound, **table, "units/electrodes": [0, 1, 4, 5]}))
    assert population.positions_um[:, 0].tolist() == [0, 0, 5000, 5000]


def test_groups_by_reference_come_first(read, hdf5, placed):
    path = hdf5(placed)
    with h5py.File(path, "r+") as file:
        shanks = [file.create_group(f"general/extracellular_ephys/shank{number}") for number in (1, 2)]
        references = [shanks[1].ref, shanks[0].ref, h5py.Reference(), shanks[1].ref]
        file["units"].create_dataset("electrode_group", data=references, dtype=h5py.ref_dtype)
    assert read(path).group.tolist() == ["shank2", "shank1", "", "shank2"]


def test_groups_by_the_name_of_the_probe_come_last(read, hdf5, sound, placed):
    probes = {"units/probe_name": ["probe00", "probe01", "probe00", "probe01"]}
    assert read(hdf5({**placed, **probes})).group.tolist() == ["left", "left", "", "right"]
    population = read(hdf5({**sound, **probes}, "without_electrodes.nwb"))
    assert population.group.tolist() == ["probe00", "probe01", "probe00", "probe01"]


@pytest.mark.parametrize("name", ["electrode_group", "probe_name"])
def test_what_names_no_group_is_no_group(read, hdf5, sound, name):
    assert read(hdf5({**sound, f"units/{name}": [0, 1, 0, 1]})).group is None
