"""Progress bars in notebooks."""

import sys
from types import SimpleNamespace

import pytest

from nwb_neurid import embed
from nwb_neurid._system import bars
from nwb_neurid.testing import mock_population


@pytest.fixture
def drawn(monkeypatch):
    """What a notebook shows, one text after another."""
    display = pytest.importorskip("IPython.display", reason="IPython is not installed")
    texts = []

    def show(html, display_id):
        assert display_id
        texts.append(html.data)
        return SimpleNamespace(update=lambda later: texts.append(later.data))

    monkeypatch.setattr(display, "display", show)
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: SimpleNamespace(kernel=object()))
    return texts


def test_a_bar_reaches_its_end_and_goes(drawn):
    assert list(bars.automatic(iter("ab"), label="<units>", total=2)) == ["a", "b"]
    assert drawn[0].endswith('<progress value="0" max="2"></progress> 0/2')
    assert drawn[0].startswith("&lt;units&gt;")
    assert drawn[-2].endswith("2/2")
    assert drawn[-1] == ""


def test_a_loop_that_ends_early_leaves_no_bar(drawn):
    loop = bars.automatic([1, 2])
    assert next(loop) == 1
    loop.close()
    assert drawn[-1] == ""


def test_without_a_number_of_items_they_are_counted(drawn, monkeypatch):
    monkeypatch.setattr(bars, "STEP_S", 0.0)
    assert list(bars.automatic(iter("ab"), label="lines")) == ["a", "b"]
    assert drawn == ["lines 0", "lines 1", "lines 2", ""]


def test_embedding_shows_a_bar_in_a_notebook(drawn):
    embed(mock_population(units=5), model="isi")
    assert any("5/5" in text for text in drawn)


def test_elsewhere_nothing_is_drawn():
    items = [1, 2]
    assert bars.automatic(items) is items
