"""What is asked of a new plugin's name and folder; that it works is tested where it is installed."""

import tomllib

import pytest

from nwb_neurid.contracts import CONTRACT
from nwb_neurid.errors import CannotWrite, InvalidOption
from nwb_neurid.scaffold import TEMPLATES, write_package


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_package_is_whole(tmp_path, template):
    folder = write_package(template, "my-plugin", tmp_path)
    about = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))
    group = "nwb_neurid.readers" if template == "reader" else "nwb_neurid.encoders"
    assert about["project"]["entry-points"] == {group: {"my-plugin": "my_plugin:PLUGIN"}}
    (shipped,) = about["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    assert (folder / shipped).exists()
    texts = {path: path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()}
    assert {path.name for path in texts} >= {"pyproject.toml", "README.md", "test_conformance.py"}
    for path, text in texts.items():
        assert path.suffix != ".txt"
        assert "$name" not in text
        assert "$module" not in text
        if path.suffix == ".py":
            compile(text, str(path), "exec")
    assert f"contract={CONTRACT}," in "".join(texts.values())


@pytest.mark.parametrize("name", ["", "My-plugin", "my_plugin", "1st", "a--b", "-a", "../a", "a b"])
def test_a_name_has_small_letters_digits_and_hyphens(tmp_path, name):
    with pytest.raises(InvalidOption, match=r"A plugin's name must be small letters and digits, with single hyphens"):
        write_package("encoder", name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["json", "numpy", "class", "neurid-isi"])
def test_a_module_of_that_name_may_not_exist(tmp_path, name):
    with pytest.raises(InvalidOption, match=rf"A module {name.replace('-', '_')} exists already"):
        write_package("encoder", name, tmp_path)


def test_a_folder_that_exists_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(CannotWrite, match=r"mine exists\. Choose another name, or another --output\."):
        write_package("encoder", "mine", tmp_path)
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(CannotWrite, match=r"cannot be written: (Not a directory|File exists)\."):
        write_package("encoder", "mine", tmp_path / "file")
