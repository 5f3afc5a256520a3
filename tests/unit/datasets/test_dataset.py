"""Recipes: what ships, and what is wrong with others."""

import re

import pytest

from nwb_neurid import registry
from nwb_neurid.datasets.dataset import SECTIONS, list_datasets, load_dataset, parse_dataset
from nwb_neurid.errors import InvalidOption, SourceNotFound

SOUND = """
format = 1
title = "Mine"
paper = "none"
licence = "CC0-1.0"
[source]
archive = "elsewhere"
address = "https://example.org"
[units]
[label]
name = "cell_type"
[splits]
protocol = "transductive"
[learning]
encoder = "nuclr"
preset = "small"
steps = 10
[figure]
name = "types"
system = "none"
metric = "macro_f1"
where = "nowhere"
"""


def test_sections_are_the_fields_that_are_no_texts():
    assert list(SECTIONS) == ["source", "units", "label", "splits", "learning", "figure"]


@pytest.mark.parametrize("name", list_datasets())
def test_every_recipe_that_ships_names_an_encoder_and_preset_that_there_are(name):
    dataset = load_dataset(name)
    plugin = registry.encoders().load(dataset.learning.encoder)
    assert dataset.learning.preset in plugin.presets
    assert dataset.licence
    assert dataset.unknown
    assert dataset.figure.value is None or 0 < dataset.figure.value < 1


def test_the_datasets_of_the_papers_are_there():
    assert {load_dataset(name).source.dandiset for name in list_datasets()} >= {"000017", "000021", "000409", "000776"}
    assert len(load_dataset("brainwidebench").splits.test_sessions) == 29


def test_a_recipe_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(SOUND)
    dataset = load_dataset(str(path))
    assert (dataset.name, dataset.splits.folds, dataset.label.in_files) == ("mine", 5, True)
    assert dataset.reading().where == ""


def test_there_is_no_such_recipe():
    with pytest.raises(SourceNotFound, match=r"no dataset 'steinmetz'. Choose one of: allen-visual-.*TOML file"):
        load_dataset("steinmetz")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "steps = 10",
            'steps = "ten"',
            "section [learning], cannot be used:\n  - steps must be a positive whole",
        ),
        ("steps = 10", "steps = 10\nepochs = 3", "epochs is unknown; known settings: encoder, preset, steps, note"),
        ('name = "cell_type"', "", "section [label], cannot be used:\n  - name is missing; it must be text"),
        ('archive = "elsewhere"', 'archive = "dandi"', "dandiset must be six digits, got ''"),
        ("[units]\n", "", None),
        ('protocol = "transductive"', 'protocol = "mine"', "protocol must be 'transductive' or"),
        ("format = 1", "format = 2", "format must be 1, got 2"),
        ('name = "cell_type"', 'name = "a"\nmap = 3', 'map must be "beryl", "cosmos" or a table'),
        ('licence = "CC0-1.0"', 'licence = "CC0-1.0"\nunits = 3', None),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said_with_its_place(tmp_path, old, new, fault):
    path = tmp_path / "mine.toml"
    path.write_text(SOUND.replace(old, new, 1))
    if fault is None and "units = 3" not in new:
        assert load_dataset(str(path)).units.where == ""
        return
    with pytest.raises(InvalidOption, match=re.escape(fault or "cannot be read as TOML")):
        load_dataset(str(path))


def test_what_is_no_toml(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe not toml")
    with pytest.raises(InvalidOption, match="cannot be read as TOML"):
        load_dataset(str(path))
    path.write_bytes(b"#" * 2**21)
    with pytest.raises(InvalidOption, match="larger than 1 MB"):
        load_dataset(str(path))


def test_a_section_that_is_no_table():
    with pytest.raises(InvalidOption, match=r"section \[source\], cannot be used:\n  - source is unknown"):
        parse_dataset("mine", {"format": 1, "title": "a", "paper": "b", "licence": "c", "source": 3})
