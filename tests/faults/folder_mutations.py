"""Faults of folders: one of their files gone, damaged, or with something else in it.

Each is a function of a file and a generator of random numbers; it raises what it likes where it does not apply.
"""

import json

import numpy as np
from mutations import mutate_bytes, with_another_length, with_other_values

VALUES = (None, True, -1, 0, 1e300, 2**40, "text", "", [], [1, [2]], {}, {"id": "zlib"}, "|O", "<f8", [0], [2**31])


def gone(path, rng):
    path.unlink()


def emptied(path, rng):
    path.write_bytes(b"")


def a_folder(path, rng):
    path.unlink()
    path.mkdir()


def damaged(path, rng):
    mutate_bytes(path, path.read_bytes(), rng)


def of_another_type(path, rng):
    shape = np.load(path, allow_pickle=True).shape
    others = [
        np.zeros(shape, "i1"),
        np.ones(shape, "f8"),
        np.full(shape, 2**63, "u8"),
        np.full(shape, "text"),
        np.full(shape, None),
        np.full(shape, 1j),
        np.zeros(shape, [("sample_index", "f4"), ("y", "i2")]),
        np.ones(shape, bool),
        np.zeros(shape, "M8[s]"),
    ]
    np.save(path, others[rng.integers(len(others))])


def of_another_length(path, rng):
    np.save(path, with_another_length(np.load(path, allow_pickle=True), rng))


def of_other_values(path, rng):
    stored = np.load(path)
    if stored.dtype.names:
        name = rng.choice(stored.dtype.names)
        stored[name] = with_other_values(stored[name], rng)
        np.save(path, stored)
    else:
        np.save(path, with_other_values(stored, rng))


def of_other_json(path, rng):
    document = json.loads(path.read_text())
    for key in rng.permutation(sorted(document))[: rng.integers(1, 3)].tolist():
        if rng.random() < 0.3:
            del document[key]
        else:
            document[key] = VALUES[rng.integers(len(VALUES))]
    path.write_text(json.dumps(document))


def of_other_words(path, rng):
    words = path.read_text().replace("\n", "\t\n\t").split("\t")
    for _ in range(rng.integers(1, 4)):
        others = ["", "\n", "nan", "-1", "1e400", "group", "é", '"', *words]
        words[rng.integers(len(words))] = others[rng.integers(len(others))]
    path.write_text("\t".join(words))


ANY = (gone, emptied, a_folder, damaged, damaged, damaged)
CONTENTS = {
    ".npy": (of_another_type, of_another_type, of_another_length, of_another_length, of_other_values, of_other_values),
    ".json": (of_other_json,) * 6,
    ".zarray": (of_other_json,) * 9,
    ".zattrs": (of_other_json,) * 3,
    ".tsv": (of_other_words,) * 6,
    ".py": (of_other_words,) * 6,
}


def mutate_folder(folder, rng):
    """Makes one to three mutations of the files in a folder, and tells what was done."""
    done = []
    for _ in range(rng.integers(1, 4)):
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        path = paths[rng.integers(len(paths))]
        ways = (*ANY, *CONTENTS.get(path.suffix or path.name, ()))
        how = ways[rng.integers(len(ways))]
        done.append(f"{how.__name__} {path.relative_to(folder)}")
        try:
            how(path, rng)
        except Exception as error:  # this mutation does not apply here
            done[-1] += f" ({type(error).__name__})"
    return ", ".join(done)
