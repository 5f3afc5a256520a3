"""The page in a real browser: it opens, selects, filters, sorts, exports, follows neighbours and labels."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from nwb_neurid.population import Spikes
from nwb_neurid.readers.label_table import add_labels
from nwb_neurid.report.facts import About, Origins, collect_facts
from nwb_neurid.report.page import make_page
from nwb_neurid.results import Embeddings
from nwb_neurid.testing import mock_population

HOSTILE = (
    "</script><script>window.hacked = true</script>",
    '<img src=x onerror="window.hacked = true">',
    "\x1b[31mred\x1b[0m",
    '=HYPERLINK("http://example.org")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\u202egnp.exe",
    "<!--<script>",
    "{a|rich} {b} %%FACTS%%",
    "long " * 60,
    '\ttab, "quoted"\nline',
)


def rows_of(text):
    return list(csv.reader(io.StringIO(text)))


def shown_ids(opened):
    return opened.page.eval_on_selector_all("#table tbody tr", "lines => lines.map(line => line.cells[1].textContent)")


def test_a_unit_is_selected_in_the_table_and_shown(open_page, page_file):
    opened = open_page(page_file)
    assert opened.text("#title") == "recording.nwb"
    opened.page.click("#table tbody tr[data-row='3']")
    assert opened.text("#unit-title") == "Unit 3"
    assert "PV" in opened.text("#unit-facts")
    assert "set: PV" in opened.text("#unit-facts")
    for figure in ("waveform", "acg", "isi", "raster"):
        assert opened.page.is_visible(f"#{figure} canvas")


def test_a_unit_is_selected_in_the_map(open_page, page_file, facts):
    opened = open_page(page_file)
    spot = opened.page.evaluate(
        "() => { const c = echarts.getInstanceByDom(document.getElementById('map'));"
        f"return c.convertToPixel('grid', [{facts['points']['x'][20]}, {facts['points']['y'][20]}]); }}"
    )
    place = opened.page.locator("#map").bounding_box()
    opened.page.mouse.move(place["x"] + spot[0], place["y"] + spot[1])
    opened.page.wait_for_selector("#tip:not([hidden])")
    assert "Unit 20" in opened.text("#tip")
    opened.page.mouse.click(place["x"] + spot[0], place["y"] + spot[1])
    opened.page.mouse.move(5, 5)
    assert opened.text("#unit-title") == "Unit 20"


def test_neighbours_are_followed_both_ways(open_page, page_file, facts):
    opened = open_page(page_file)
    opened.page.click("#table tbody tr[data-row='3']")
    near = opened.page.locator("#unit-neighbours .chip").first
    other = near.inner_text()
    near.click()
    assert opened.text("#unit-title") == f"Unit {other}"
    assert "3" in opened.page.locator("#unit-neighbours .chip").all_inner_texts()  # back again
    opened.page.keyboard.press("b")
    assert opened.text("#unit-title") == "Unit 3"
    opened.page.keyboard.press("n")
    assert opened.text("#unit-title") == f"Unit {other}"


def test_filters_by_label_and_by_confidence(open_page, page_file):
    opened = open_page(page_file)
    assert opened.text("#shown") == "60 units"
    opened.page.click("#legend button:has-text('PV')")
    assert opened.text("#shown") == "44 units shown of 60"
    opened.page.click("#legend button:has-text('PV')")
    opened.page.check("#hide-abstained")
    assert opened.text("#shown") == "47 units shown of 60"
    opened.page.uncheck("#hide-abstained")
    opened.page.fill("#confidence", "0.9")
    opened.page.wait_for_selector("#shown:text-is('0 units shown of 60')")
    opened.page.click("#clear-filters")
    assert opened.text("#shown") == "60 units"


def test_the_table_sorts_searches_and_exports(open_page, page_file):
    opened = open_page(page_file)
    opened.page.click("#table thead button[data-column='stability']")
    opened.page.click("#table thead button[data-column='stability']")
    assert shown_ids(opened)[:3] == ["59", "58", "57"]
    opened.page.fill("#search", "sst probe")
    wanted = [str(row) for row in range(59, -1, -1) if row % 3 == 1 and row % 7 and row != 7]
    rows = rows_of(opened.download("#export"))
    assert rows[0][:2] == ["unit_id", "predicted cell_type"]
    assert [row[0] for row in rows[1:] if row[2] == "SST"] == wanted
    assert opened.page.is_visible("tr:has-text('SST')")


def test_the_first_colour_shows_what_is_known(open_page, collect, recorded, tmp_path):
    facts = collect(recorded)
    nobody = {**facts["texts"][0], "levels": ["abstained"], "codes": [0] * 60}
    without = {**facts, "texts": [nobody, *facts["texts"][1:]]}
    for found, colour in ((facts, "predicted cell_type"), (without, "cell_type")):
        (tmp_path / "page.html").write_text(make_page(found), "utf-8")
        opened = open_page(tmp_path / "page.html")
        assert opened.page.locator("#colour option:checked").inner_text() == colour
    assert "48 of 60 units" in opened.text("#chips")


def test_colours_are_chosen_by_any_column(open_page, page_file, facts):
    opened = open_page(page_file)
    names = opened.page.locator("#colour option").all_inner_texts()
    assert {"predicted cell_type", "cell_type", "group", "probability", "firing rate (Hz)", "stability"} <= set(names)
    for name in names:
        opened.page.select_option("#colour", label=name)
    assert opened.page.is_visible("#legend canvas")
    opened.page.click("#theme")
    opened.page.click("#zoom-in")
    opened.page.click("#zoom-reset")


def test_selected_units_are_labelled_and_downloaded(open_page, page_file):
    opened = open_page(page_file)
    place = opened.page.locator("#map-wrap").bounding_box()
    opened.page.click("#tool-lasso")
    corners = [(2, 2), (place["width"] - 2, 2), (place["width"] - 2, place["height"] - 2), (2, place["height"] - 2)]
    opened.page.mouse.move(place["x"] + 2, place["y"] + 2)
    opened.page.mouse.down()
    for x, y in corners:
        opened.page.mouse.move(place["x"] + x, place["y"] + y)
    opened.page.mouse.up()
    assert opened.text("#selected-count") == "59 units selected"  # one has no vector
    opened.page.keyboard.press("Escape")
    assert opened.text("#selected-count") == "no unit selected"
    for row in (2, 4):
        opened.page.check(f"#table tbody tr[data-row='{row}'] input")
    opened.page.fill("#label-text", '=narrow, "fast"')
    opened.page.press("#label-text", "Enter")
    assert rows_of(opened.download("#label-download")) == [
        ["unit_id", "cell_type"],
        ["2", '\'=narrow, "fast"'],
        ["4", '\'=narrow, "fast"'],
    ]
    opened.page.click("#label-undo")
    assert opened.page.is_disabled("#label-download")


def label_rows(page, rows, column, text):
    """Select units in the table, and give them a label."""
    for row in rows:
        page.check(f"#table tbody tr[data-row='{row}'] input")
    page.fill("#label-column", column)
    page.fill("#label-text", text)
    page.press("#label-text", "Enter")


def test_labels_go_back_into_the_recording(open_page, page_file, recorded, tmp_path):
    opened = open_page(page_file)
    label_rows(opened.page, (2, 7), "layer", "5, deep")
    table = tmp_path / "labels.csv"
    table.write_text(opened.download("#label-download"), "utf-8")
    labels = add_labels(recorded, table, "recording.nwb").labels["layer"]
    assert np.flatnonzero(labels == "5, deep").tolist() == [2, 7]


def test_labels_of_several_recordings_go_back_into_each(open_page, recorded, tmp_path):
    sources = ["a/r.nwb"] * 40 + ["r.nwb"] * 20
    parts = {name: recorded.select(np.arange(sources.count(name))) for name in ("a/r.nwb", "r.nwb")}
    ids = [str(unit) for part in parts.values() for unit in part.unit_ids.tolist()]
    origins = Origins(sources=sources, ids=ids, rows=np.r_[np.arange(40), np.arange(20)])
    about = About(name="vectors", path="vectors")
    path = tmp_path / "page.html"
    vectors = Embeddings.of(recorded, np.random.default_rng(0).normal(size=(60, 6)))
    path.write_text(make_page(collect_facts(recorded, vectors, [], about, None, origins)), "utf-8")
    opened = open_page(path)
    label_rows(opened.page, (2, 41), "layer", "5, deep")
    text = opened.download("#label-download")
    assert rows_of(text)[0] == ["source", "unit_id", "layer"]
    table = tmp_path / "labels.csv"
    table.write_text(text, "utf-8")
    for (name, part), wanted in zip(parts.items(), ([2], [1]), strict=True):
        labels = add_labels(part, table, name, {*parts} - {name}).labels["layer"]
        assert np.flatnonzero(labels == "5, deep").tolist() == wanted


def test_the_keyboard_alone_reaches_units(open_page, page_file):
    opened = open_page(page_file)
    opened.page.focus("#table tbody tr.current")
    opened.page.keyboard.press("ArrowDown")
    opened.page.keyboard.press("ArrowDown")
    assert opened.text("#unit-title") == "Unit 2"
    opened.page.keyboard.press("Space")
    assert opened.text("#selected-count") == "1 unit selected"
    opened.page.focus("#map")
    before = opened.text("#unit-title")
    for key in ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"):
        opened.page.keyboard.press(key)
    opened.page.keyboard.press("?")
    assert opened.page.is_visible("#help")
    assert before.startswith("Unit")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_it_fits_screens(open_page, page_file, scheme, width):
    opened = open_page(page_file, viewport={"width": width, "height": 844}, color_scheme=scheme)
    assert opened.page.evaluate("document.documentElement.dataset.theme") == scheme
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.page.is_visible("#map canvas")


def test_500_hostile_names_are_text(open_page, make_population, collect, tmp_path):
    units = 500
    names = np.array([f"{HOSTILE[row % len(HOSTILE)]}{row}" for row in range(units)], object)
    names[10] = "long " * 2000
    classes = np.array([name[:180] for name in names[: len(HOSTILE)]])
    names = names.astype(np.str_)
    labels = {"cell_type": names, HOSTILE[1]: names}
    population = make_population(units=units, duration_s=4.0, labels=labels, source=HOSTILE[0])
    population = replace(population, unit_ids=names)
    path = tmp_path / "hostile.html"
    path.write_text(make_page(collect(population, classes)), "utf-8", newline="\n")
    opened = open_page(path)
    for row in range(len(HOSTILE)):
        opened.page.click(f"#table tbody tr[data-row='{row}']")
    assert opened.page.evaluate("window.hacked") is None
    assert opened.page.locator("script").count() == 3
    assert opened.page.locator("img").count() == 0
    texts = opened.page.inner_text("body")
    assert "<img src=x onerror=" in texts
    assert not set(texts) & {"\x1b", "\u202e"}
    assert "⟨U+202E⟩gnp.exe7" in texts
    rows = rows_of(opened.download("#export"))
    assert len(rows) == 1 + units
    assert not [cell for row in rows for cell in row if cell[:1] in "=+-@\t\r" and cell and not is_number(cell)]
    assert {row[0].removeprefix("'") for row in rows[1:]} == {*names.tolist()}


def is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("units", [0, 1, 3])
def test_a_handful_of_units_or_none_has_a_page(open_page, make_population, collect, tmp_path, units):
    population = make_population(units=3).select(np.arange(units))
    path = tmp_path / "few.html"
    path.write_text(make_page(collect(population)), "utf-8", newline="\n")
    opened = open_page(path)
    assert opened.text("#shown") == f"{units} unit{'' if units == 1 else 's'}"
    opened.page.click("#theme")
    assert opened.page.locator("#table tbody tr").count() == units


def test_a_page_without_activity_complains_about_nothing(open_page, tmp_path):
    silent = Spikes.of([np.empty(0)] * 12)
    population = replace(mock_population(units=12), observed_s=np.empty((0, 2)), activity=silent)
    vectors = np.random.default_rng(0).normal(size=(12, 4))
    about = About(name="vectors", path="vectors")
    rates = {"firing rate (Hz)": ("Spikes per second of observed time", np.arange(12.0))}
    path = tmp_path / "page.html"
    facts = collect_facts(population, Embeddings.of(population, vectors), [], about, rates)
    path.write_text(make_page(facts), "utf-8")
    opened = open_page(path)
    assert not opened.page.is_visible("#fig-acg")
    assert not opened.page.is_visible("#fig-raster")
    assert "firing rate (Hz)" in opened.text("body")
