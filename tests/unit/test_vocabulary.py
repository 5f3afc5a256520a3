"""What stands for "not known", whatever its case and signs, and what does not."""

import pytest

from nwb_neurid.vocabulary import UNKNOWN, is_unknown


@pytest.mark.parametrize(
    "text",
    [
        *sorted(UNKNOWN),
        *(
            "NA",
            "N.A.",
            "N/A",
            "n.a",
            "#N/A",
            "<NA>",
            "(none)",
            "None ",
            "NaN",
            "NULL",
            "Unknown",
            "unknown?",
            "[]",
            "()",
        ),
        *(
            "not determined",
            "Not Determined",
            "Cannot be determined",
            "can not be determined.",
            "could not be identified",
        ),
        *("not yet determined", "undetermined", "indeterminate", "to be determined", "TBD", "unclassified"),
        *(
            "not classified",
            "unclassifiable",
            "not assigned",
            "unassigned",
            "not available",
            "unavailable",
            "--",
            "...",
            "??",
        ),
        *(
            "not applicable",
            "not specified",
            "unlabelled",
            "unlabeled",
            "not labeled",
            "not recorded",
            "no label",
            "missing",
        ),
        *("ND", "n.d.", "N/D", "unk.", "unkown", "uncertain", "unclear", "unsure", "inconclusive", "TBC", "pending"),
        *("unknown neuron", "Unknown cell type", "cell type unknown", "no cell type", "unidentified cell", "no value"),
        *(
            "not tested",
            "not typed",
            "not annotated",
            "unannotated",
            "non-classified",
            "un-identified",
            "cannot determine",
        ),
        *("can't be determined", "not determined yet", "not determined (n.d.)", "Undetermined (low FR)", "none given"),
        *("to be classified", "insufficient data", "outside brain", "not in atlas", "***", "xxx"),
    ],
)
def test_words_for_not_known(text):
    assert is_unknown(text)


@pytest.mark.parametrize(
    "text",
    [
        "PV",
        "PV-",
        "+",
        "NAc",
        "Na+ cell",
        "none-FS",
        "nonpyramidal",
        "not PV",
        "root ganglion",
        "CA1",
        "1",
        "皮质",
        "0",
        "void space",
        *("no", "yes", "NA+", "non-FS", "cell", "neuron", "unit", "other", "untagged", "not PV (n=3)"),
    ],
)
def test_words_for_something(text):
    assert not is_unknown(text)
