"""Loading a file never runs code from it. A failure names the line."""

import ast

PICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
UNPICKLING = "nwb_neurid/readers/pickles.py"


def calls(sources):
    """(place, dotted name of what is called, keyword arguments as written)."""
    for path, tree in sources.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                yield f"{path}:{node.lineno}", ast.unparse(node.func), keywords


def test_nothing_is_pickled(imports):
    """Store arrays as safetensors or HDF5, and everything else as JSON."""
    pickling = [f"{path} imports {name}" for path, name in imports if name.split(".")[0] in PICKLING]
    assert pickling == [f"{UNPICKLING} imports pickle"], "\n".join(pickling)


def test_pickles_are_loaded_by_a_class_that_admits_a_list_of_names(sources):
    """Nothing of `pickle` is used but the class whose `find_class` is ours."""
    used = {
        ast.unparse(node)
        for node in ast.walk(sources[UNPICKLING])
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pickle"
    }
    assert used == {"pickle.Unpickler", "pickle.UnpicklingError"}


def test_no_text_is_run_as_code(sources):
    """Parse what you need; a table of functions replaces a name that is evaluated."""
    run = [place for place, name, _ in calls(sources) if name in {"eval", "exec", "compile"}]
    assert not run, "\n".join(run)


def test_pickles_of_others_are_read_without_their_code(sources):
    """Pass `weights_only=True` to `torch.load`, and never `allow_pickle` to NumPy."""
    unsafe = [
        f"{place} {name}"
        for place, name, keywords in calls(sources)
        if (name == "torch.load" and keywords.get("weights_only") != "True")
        or keywords.get("allow_pickle", "False") != "False"
    ]
    assert not unsafe, "\n".join(unsafe)


def test_no_assert_guards_the_user(sources):
    """Raise a class of nwb_neurid.errors: Python drops assertions under -O, and they explain nothing."""
    guards = [
        f"{path}:{node.lineno}"
        for path, tree in sources.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert) and not path.startswith("nwb_neurid/testing/")
    ]
    assert not guards, "\n".join(guards)
