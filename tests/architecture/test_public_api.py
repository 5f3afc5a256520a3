"""Public names and signatures are those that were agreed on. A failure names what changed."""

import runpy
from difflib import unified_diff

LIST = "tests/architecture/public_api.txt"
PRINTS = "tests/architecture/public_api.py"


def test_the_public_api_is_the_checked_in_one(root):
    """See docs/reference/compatibility.md. Where it is meant: python tests/architecture/public_api.py > that list."""
    agreed = (root / LIST).read_text("utf-8").splitlines()
    found = runpy.run_path(str(root / PRINTS))["public_api"](root)
    changed = [line for line in unified_diff(agreed, found, lineterm="", n=0) if line[0] in "+-"][2:]
    assert not changed, "\n".join([f"If this is meant: python {PRINTS} > {LIST}", *changed])


def test_a_change_is_seen(root, tmp_path):
    package = tmp_path / "nwb_neurid"
    for path in (root / "nwb_neurid").rglob("*.py"):
        target = package / path.relative_to(root / "nwb_neurid")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    contracts = package / "contracts" / "encoder.py"
    text = contracts.read_text("utf-8")
    contracts.write_text(text.replace("min_units: int = 1", "min_units: int = 2"), "utf-8")
    api = runpy.run_path(str(root / PRINTS))["public_api"]
    before, after = set(api(root)), set(api(tmp_path))
    assert before - after == {"nwb_neurid.contracts.EncoderSpec.min_units: int = 1"}
    assert after - before == {"nwb_neurid.contracts.EncoderSpec.min_units: int = 2"}


def test_public_modules_are_those_that_plugins_may_import(root):
    modules = runpy.run_path(str(root / PRINTS))["MODULES"]
    imports = runpy.run_path(str(root / "tests/architecture/test_imports.py"))["PUBLIC"]
    assert {"nwb_neurid", *(f"nwb_neurid.{module}" for module in modules)} == imports
