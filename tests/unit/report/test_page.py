"""The page as a file: nothing in it ends a script, nothing but its own scripts may run, and it is small."""

import base64
import hashlib
import json
import re
from importlib.resources import files

import numpy as np
import pytest

from nwb_neurid.report.encoding import clip, encode_array, encode_json, encode_numbers, encode_texts
from nwb_neurid.report.page import LIBRARY, make_page

SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


@pytest.fixture(scope="module")
def page(page_file):
    return page_file.read_text("utf-8")


def hash_of(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_only_its_own_scripts_and_style_may_run(page):
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page).group(1)
    scripts, (style,) = SCRIPT.findall(page), STYLE.findall(page)
    assert len(scripts) == 2
    assert policy == (
        f"default-src 'none'; script-src {' '.join(map(hash_of, scripts))}; style-src {hash_of(style)}; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    assert "unsafe" not in policy


def test_nothing_is_loaded_from_elsewhere(page):
    without_library = page.replace(SCRIPT.findall(page)[0], "")
    assert (
        re.findall(
            r"""(?:src|href)\s*=\s*["']?(?!#)[^"'>\s]+""", re.sub(r'id="facts">.*?</script>', "", without_library)
        )
        == []
    )
    assert "@import" not in page
    assert "url(" not in STYLE.findall(page)[0]


def test_facts_are_json_that_cannot_end_a_script(page, facts):
    text = re.search(r'<script type="application/json" id="facts">(.*?)</script>', page, re.DOTALL).group(1)
    assert json.loads(text) == json.loads(json.dumps(facts))
    assert not set(text) & set("<>&")
    assert text.isascii()


@pytest.mark.parametrize("text", ["</script>", "<!--", "]]>", "&lt;", "\u2028", "\ud800", "\x00", "%%FACTS%%"])
def test_any_text_comes_back_as_it_was(text):
    encoded = encode_json({text: text})
    assert json.loads(encoded) == {text: text}
    assert not set(encoded) & set("<>&\u2028")


def test_the_same_facts_are_the_same_page(facts, page):
    assert make_page(facts) == page


def test_the_library_is_the_one_whose_licence_stands_beside_it():
    folder = files("nwb_neurid.report") / "page"
    digest = hashlib.sha256((folder / LIBRARY).read_bytes()).hexdigest()
    noted = (folder / "VENDORED.md").read_text("utf-8")
    assert digest in noted
    assert "Apache License" in (folder / "LICENSE-echarts.txt").read_text("utf-8")
    assert "Apache ECharts" in (folder / "NOTICE-echarts.txt").read_text("utf-8")


def test_arrays_are_little_endian_base64():
    made = encode_array(np.array([[1, 258]], ">u2"))
    assert made == {"type": "u2", "shape": [1, 2], "data": base64.b64encode(b"\x01\x00\x02\x01").decode()}


def test_numbers_have_few_digits_and_no_nan():
    assert encode_numbers(np.array([1.23456, np.nan, np.inf, 123456.0])) == [1.235, None, None, 123500.0]


def test_texts_are_codes_of_levels_in_natural_order():
    assert encode_texts(["b10", "b9", "", "b9"]) == {"levels": ["", "b9", "b10"], "codes": [2, 1, 0, 1]}


def test_long_texts_are_cut():
    assert clip("x" * 300) == "x" * 300
    assert clip("x" * 301) == "x" * 299 + "…"
