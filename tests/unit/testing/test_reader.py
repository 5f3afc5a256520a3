"""A deliberately broken reader for each rule fails that rule and no other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nwb_neurid.contracts import CONTRACT, ReaderPlugin, ReaderSpec
from nwb_neurid.errors import InvalidOption, UnreadableSource
from nwb_neurid.population import Population, Spikes
from nwb_neurid.testing import ReaderConformance
from nwb_neurid.testing.verdicts import list_rules, run_kit

SPEC = ReaderSpec(name="lines", version="1", summary="One unit a line", contract=CONTRACT, options=frozenset({"part"}))
KEPT = []


def is_lines(source):
    return isinstance(source, str | Path) and Path(source).suffix == ".lines"


def read(source, options):
    """One line for each unit, its spike times in seconds."""
    if options.part not in {"", "all"}:
        raise InvalidOption(f"{source} has no part {options.part!r}: it has 'all' alone.")
    trains = trains_of(Path(source))
    if not trains or not len(trains[0]):
        raise UnreadableSource(f"{source} holds no spike times.")
    stop_s = max(train[-1] for train in trains) + 1
    return Population(
        unit_ids=np.arange(len(trains)),
        activity=Spikes.of(trains),
        observed_s=np.array([[0.0, stop_s]]),
        source=str(source),
    )


def trains_of(path):
    return [np.array(line.split(), float) for line in path.read_text("utf-8").splitlines()]


def printing(source, options):
    print("reading")
    return read(source, options)


def keeping_files_open(source, options):
    KEPT.append(Path(source).open("rb"))  # noqa: SIM115 - that is what is wrong with it
    return read(source, options)


def caching(source, options):
    Path(source).with_suffix(".cache").write_text("read before", "utf-8")
    return read(source, options)


def restless(source, options):
    KEPT.append(None)
    found = read(source, options)
    return replace(found, observed_s=found.observed_s + np.array([[0.0, len(KEPT)]]))


def nameless(source, options):
    return replace(read(source, options), source="")


def fragile(source, options):
    np.array(trains_of(Path(source))[0]).max()
    return read(source, options)


def deaf(source, options):
    return read(source, replace(options, part=""))


def plugin_of(**parts):
    return ReaderPlugin(**{"spec": SPEC, "recognises": is_lines, "read": read, **parts})


BROKEN = {
    "test_the_plugin_says_what_it_is": plugin_of(spec=replace(SPEC, summary="")),
    "test_it_recognises_its_source": plugin_of(recognises=lambda _: False),
    "test_it_recognises_nothing_else": plugin_of(recognises=lambda source: Path(source).suffix == ".lines"),
    "test_reading_gives_a_population": plugin_of(read=nameless),
    "test_reading_again_gives_the_same": plugin_of(read=restless),
    "test_the_source_stays_as_it_is": plugin_of(read=caching),
    "test_files_are_closed": plugin_of(read=keeping_files_open),
    "test_damage_is_an_error_of_ours": plugin_of(read=fragile),
    "test_the_spec_is_honest": plugin_of(read=deaf),
    "test_nothing_is_printed": plugin_of(read=printing),
}


@pytest.fixture(autouse=True)
def _close_files():
    yield
    for file in filter(None, KEPT):
        file.close()
    KEPT.clear()


class Kit(ReaderConformance):
    module = "nwb_neurid.readers.neo"

    def source(self, folder):
        (folder / "units.lines").write_text("0.5 1.5 2.5\n1 2 3 4\n", "utf-8")
        return folder / "units.lines"


def failed(plugin, **parts):
    """Rules that a plugin breaks, with the messages."""
    kit = type("Kit", (Kit,), {"plugin": plugin, **parts})
    found = dict(zip(list_rules(kit), run_kit(kit), strict=True))
    return {name: verdict.message for name, verdict in found.items() if verdict.outcome == "failed"}


def test_a_good_plugin_passes():
    assert failed(plugin_of()) == {}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_plugin_fails_exactly_its_rule(rule):
    if rule == "test_files_are_closed" and not Path("/proc/self/fd").is_dir():
        pytest.skip("this system does not show which files are open")
    assert list(failed(BROKEN[rule])) == [rule]


def test_whatever_else_is_recognised_is_named():
    found = failed(plugin_of(recognises=lambda source: is_lines(source) or source == 3))
    assert found == {"test_it_recognises_nothing_else": "3 is recognised"}


def test_a_heavy_import_is_seen(tmp_path, monkeypatch):
    (tmp_path / "heavy_reader.py").write_text("import h5py\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    found = failed(plugin_of(), module="heavy_reader")
    assert found == {"test_importing_it_is_light": "importing it imports h5py"}


def test_every_rule_has_its_broken_plugin():
    assert set(list_rules(ReaderConformance)) == BROKEN.keys() | {"test_importing_it_is_light"}
