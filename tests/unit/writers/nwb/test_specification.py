"""The specification is what the NDX catalog asks for, and the page about the format names all of it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import nwb_neurid.writers.nwb
from nwb_neurid.writers.nwb.specification import load_specification

SPEC = Path(nwb_neurid.writers.nwb.__file__).parent / "spec"
PAGE = Path(__file__).parents[4] / "docs" / "reference" / "format.md"


@pytest.fixture(scope="module")
def types():
    extensions = YAML(typ="safe").load(SPEC / "ndx-neurid.extensions.yaml")
    return {group["neurodata_type_def"]: group for group in extensions["groups"]}


def test_the_files_fit_the_schema_of_nwb():
    import pynwb

    schema = next(Path(pynwb.__file__).parent.glob("nwb-schema/nwb.schema.json"), None)
    if schema is None:
        pytest.skip("this PyNWB comes without nwb.schema.json")
    command = [sys.executable, "-m", "hdmf.testing.validate_spec", str(SPEC), "-m", str(schema)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_cached_form_is_that_of_hdmf():
    documents = {name: json.loads(text) for name, text in load_specification().documents.items()}
    assert documents.keys() == {"namespace", "ndx-neurid.extensions"}
    (namespace,) = documents["namespace"]["namespaces"]
    assert namespace["name"] == "ndx-neurid"
    assert namespace["version"] == load_specification().version == "0.1.0"
    assert namespace["schema"] == [{"namespace": "core"}, {"source": "ndx-neurid.extensions"}]
    assert len(documents["ndx-neurid.extensions"]["groups"]) == 3


def test_only_the_essential_is_required(types):
    """Whatever is added to a table later must be optional, or files of today could not be read any more."""
    required = {
        name: {part["name"] for part in group.get("datasets", []) if "quantity" not in part}
        | {part["name"] for part in group.get("attributes", []) if part.get("required", True)}
        for name, group in types.items()
    }
    assert required == {
        "NeuronEncoderModel": {"encoder"},
        "NeuronEmbeddings": {"neuron", "embedding"},
        "NeuronPredictions": {"neuron", "predicted_label", "label_name", "classes"},
    }
    assert all(link["quantity"] == "?" for group in types.values() for link in group.get("links", []))


def test_the_page_has_a_row_for_every_part(types):
    """Add what is missing to docs/reference/format.md, with its type, unit and meaning."""
    sections = dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL))
    for name, group in types.items():
        parts = [part["name"] for kind in ("attributes", "datasets", "links") for part in group.get(kind, [])]
        rows = re.findall(r"^\| `(\w+)`", sections[name], re.MULTILINE)
        assert sorted(rows) == sorted(parts), name
