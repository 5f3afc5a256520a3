"""The registry: names are listed without importing, and every fault names who is at fault."""

import shutil
import sys
from types import ModuleType

import pytest

from nwb_neurid import registry
from nwb_neurid.contracts import CONTRACT, EncoderPlugin, EncoderSpec, ReaderPlugin, ReaderSpec
from nwb_neurid.errors import BrokenPlugin, DuplicatePlugin, IncompatiblePlugin, UnknownPlugin


def encoder(name="isi", contract=CONTRACT, default_for=frozenset()):
    spec = EncoderSpec(
        name=name,
        version="1",
        summary="",
        contract=contract,
        accepts=frozenset({"spikes"}),
        default_for=default_for,
    )
    return EncoderPlugin(spec=spec, build=lambda *_: None)


@pytest.fixture
def module(monkeypatch):
    """Makes a module with this value of PLUGIN importable."""

    def make(name, plugin):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        sys.modules[name].PLUGIN = plugin
        return f"{name}:PLUGIN"

    return make


def test_plugins_are_loaded_by_name(entry_points_of, module):
    plugin = encoder("isi")
    encoders = registry.encoders(entry_points_of("lab-a", isi=module("lab_a", plugin)))
    assert encoders.load("isi") is plugin
    assert encoders.load("isi@lab-a") is plugin
    assert encoders.distribution("isi") == "lab-a 1.0"


def test_readers_are_plugins_too(entry_points_of, module):
    spec = ReaderSpec(name="nwb", version="1", summary="", contract=CONTRACT)
    plugin = ReaderPlugin(spec=spec, recognises=lambda _: False, read=lambda *_: None)
    readers = registry.readers(entry_points_of("lab-a", group="nwb_neurid.readers", nwb=module("lab_a", plugin)))
    assert readers.load("nwb") is plugin


def test_listing_imports_nothing(entry_points_of):
    before = set(sys.modules)
    encoders = registry.encoders(entry_points_of("lab-a", zeta="this:PLUGIN", alpha="no_such_module:PLUGIN"))
    assert list(encoders) == ["alpha", "zeta"]
    assert encoders.distribution("zeta") == "lab-a 1.0"
    assert set(sys.modules) == before


def test_installed_plugins_are_found_by_their_group(installed, entry_points_of):
    installed(
        [
            *entry_points_of("lab-a", isi="lab_a:PLUGIN"),
            *entry_points_of("lab-a", group="nwb_neurid.readers", suite2p="lab_a:READER"),
        ]
    )
    assert list(registry.encoders()) == ["isi"]
    assert list(registry.readers()) == ["suite2p"]


def test_what_is_installed_meanwhile_is_found(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(registry.encoders())
    about = tmp_path / "lab_new-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-new\nVersion: 1.0\n", "utf-8")
    (about / "entry_points.txt").write_text("[nwb_neurid.encoders]\nnew = lab_new:PLUGIN\n", "utf-8")
    assert set(registry.encoders()) - before == {"new"}
    shutil.rmtree(about)
    assert set(registry.encoders()) == before


def test_an_unknown_plugin_is_told_what_there_is(entry_points_of):
    encoders = registry.encoders(entry_points_of("lab-a", isi="a:PLUGIN", nuclr="b:PLUGIN"))
    message = (
        r"There is no encoder 'nuclear'\. Installed: isi, nuclr\. "
        r"For any other, install the package that provides it\."
    )
    with pytest.raises(UnknownPlugin, match=message):
        encoders.load("nuclear")
    with pytest.raises(UnknownPlugin, match=r"There is no encoder 'isi@lab-b'\. Installed: isi, nuclr\."):
        encoders.distribution("isi@lab-b")


def test_nothing_installed_is_said(installed):
    installed([])
    with pytest.raises(UnknownPlugin, match=r"There is no reader 'nwb'\. Installed: none\."):
        registry.readers().load("nwb")


def test_duplicates_are_named_and_one_can_be_chosen(entry_points_of, module):
    plugins = encoder("isi"), encoder("isi")
    points = [
        *entry_points_of("lab-a", isi=module("lab_a", plugins[0])),
        *entry_points_of("lab-b", isi=module("lab_b", plugins[1]), other="lab_b:OTHER"),
    ]
    encoders = registry.encoders(points)
    assert list(encoders) == ["isi@lab-a", "isi@lab-b", "other"]
    assert encoders.load("isi@lab-b") is plugins[1]
    assert encoders.distribution("isi@lab-a") == "lab-a 1.0"
    assert encoders.load("isi@Lab_B") is plugins[1]  # as package indexes compare names
    message = r"Several packages provide encoder 'isi'\. Choose one of: isi@lab-a or isi@lab-b\."
    with pytest.raises(DuplicatePlugin, match=message):
        encoders.load("isi")


def test_a_broken_plugin_is_named_and_harms_no_other(entry_points_of, module):
    points = [
        *entry_points_of("lab-a", "2.5", broken="no_such_module:PLUGIN"),
        *entry_points_of("lab-b", isi=module("lab_b", encoder("isi"))),
    ]
    encoders = registry.encoders(points)
    message = (
        r"encoder 'broken' \(no_such_module:PLUGIN, lab-a 2\.5\) cannot be imported: "
        r"ModuleNotFoundError: No module named 'no_such_module'"
    )
    with pytest.raises(BrokenPlugin, match=message):
        encoders.load("broken")
    assert encoders.load("isi").spec.name == "isi"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("SPEC = EncoderSpec(title='bad')", "TypeError: "),
        (
            "SPEC = EncoderSpec(name='bad', version='1', summary='', contract=1, accepts=frozenset({'spike'}))",
            "The spec of encoder 'bad' cannot be used",
        ),
    ],
)
def test_whatever_an_import_raises_is_told_with_the_distribution(entry_points_of, tmp_path, monkeypatch, code, told):
    (tmp_path / "bad_at_import.py").write_text(f"from nwb_neurid.contracts import EncoderSpec\n{code}\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BrokenPlugin) as caught:
        registry.encoders(entry_points_of("lab-a", "2.5", bad="bad_at_import:PLUGIN")).load("bad")
    who = "encoder 'bad' (bad_at_import:PLUGIN, lab-a 2.5) cannot be imported: "
    assert str(caught.value).startswith(who + told)


def test_a_value_that_is_not_there_is_broken(entry_points_of, module):
    module("lab_a", None)
    with pytest.raises(BrokenPlugin, match=r"\(lab_a:NOTHING, lab-a 1\.0\) cannot be imported: AttributeError"):
        registry.encoders(entry_points_of("lab-a", isi="lab_a:NOTHING")).load("isi")


def test_a_value_of_another_kind_is_broken(entry_points_of, module):
    points = entry_points_of("lab-a", isi=module("lab_a", {"name": "isi"}))
    with pytest.raises(
        BrokenPlugin, match=r"encoder 'isi' \(lab_a:PLUGIN, lab-a 1\.0\) must be of type EncoderPlugin, got dict\."
    ):
        registry.encoders(points).load("isi")


def test_another_version_of_the_contract_is_refused(entry_points_of, module):
    points = entry_points_of("lab-a", isi=module("lab_a", encoder("isi", contract=CONTRACT + 1)))
    message = (
        rf"encoder 'isi' \(lab_a:PLUGIN, lab-a 1\.0\) was written for version {CONTRACT + 1} of the plugin contract, "
        rf"this nwb-neurid has version {CONTRACT}\. Install compatible releases of the two\."
    )
    with pytest.raises(IncompatiblePlugin, match=message):
        registry.encoders(points).load("isi")


def test_a_plugin_must_go_by_one_name(entry_points_of, module):
    points = entry_points_of("lab-a", mine=module("lab_a", encoder("theirs")))
    message = r"encoder 'mine' \(lab_a:PLUGIN, lab-a 1\.0\) calls itself 'theirs' in its spec\. The two names must"
    with pytest.raises(BrokenPlugin, match=message):
        registry.encoders(points).load("mine")


def test_an_entry_point_without_a_distribution_can_be_loaded(module):
    from importlib.metadata import EntryPoint

    point = EntryPoint("isi", module("lab_a", encoder("isi")), "nwb_neurid.encoders")
    encoders = registry.encoders([point])
    assert encoders.load("isi").spec.name == "isi"
    assert encoders.distribution("isi") == "no distribution"


def test_a_default_is_an_encoder_that_says_so(installed, entry_points_of, module):
    """Those of nwb-neurid go first, and what does not load is passed over."""
    baseline = frozenset({"baseline"})
    others = entry_points_of(
        "lab-a",
        alpha=module("lab_alpha", encoder("alpha", default_for=baseline)),
        beta=module("lab_beta", encoder("beta")),
    )
    own = entry_points_of("nwb-neurid", zeta=module("own_zeta", encoder("zeta", default_for=baseline)))
    broken = entry_points_of("nwb-neurid", broken="no_such_module:PLUGIN")
    installed([*broken, *others, *own])
    assert registry.default_encoder("baseline") == "zeta"
    installed([*broken, *others])
    assert registry.default_encoder("baseline") == "alpha"
    with pytest.raises(
        UnknownPlugin,
        match=r"No installed encoder is the default for training: choose one \(--encoder\)\. Installed: alpha, beta, "
        r"broken",
    ):
        registry.default_encoder("training")


def test_the_defaults_that_ship():
    assert registry.default_encoder("baseline") == "isi"
    assert registry.default_encoder("training") == "nuclr"
    message = r"default_for must be a frozenset with \['baseline', 'training'\], got \['everything'\]"
    with pytest.raises(BrokenPlugin, match=message):
        encoder(default_for=frozenset({"everything"}))
