"""Compute one vector for each neuron of a recording, and predict cell types and brain regions.

Every public name is imported when it is first used, so that `import nwb_neurid` is instant.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing would take most of the time of this import
    from nwb_neurid.analyzer.loading import load_analyzer as load_analyzer
    from nwb_neurid.errors import NeuridError as NeuridError
    from nwb_neurid.errors import NeuridWarning as NeuridWarning
    from nwb_neurid.evaluation.run import evaluate as evaluate
    from nwb_neurid.model.making import import_model as import_model
    from nwb_neurid.model.making import load_model as load_model
    from nwb_neurid.model.making import new_model as new_model
    from nwb_neurid.model.model import Model as Model
    from nwb_neurid.population import Population as Population
    from nwb_neurid.population import Series as Series
    from nwb_neurid.population import Spikes as Spikes
    from nwb_neurid.population import Traces as Traces
    from nwb_neurid.readers import read as read
    from nwb_neurid.results import Embeddings as Embeddings
    from nwb_neurid.results import Predictions as Predictions
    from nwb_neurid.results import Provenance as Provenance
    from nwb_neurid.workflows.embed import embed as embed
    from nwb_neurid.workflows.fit_labels import fit_labels as fit_labels
    from nwb_neurid.workflows.report import write_report as write_report
    from nwb_neurid.workflows.train import train as train
    from nwb_neurid.writers.nwb.store import read_results as read_results
    from nwb_neurid.writers.nwb.store import write as write

__version__ = "0.1.1"

_HOME = {
    "Embeddings": "results",
    "Model": "model.model",
    "NeuridError": "errors",
    "NeuridWarning": "errors",
    "Population": "population",
    "Predictions": "results",
    "Provenance": "results",
    "Series": "population",
    "Spikes": "population",
    "Traces": "population",
    "embed": "workflows.embed",
    "evaluate": "evaluation.run",
    "fit_labels": "workflows.fit_labels",
    "import_model": "model.making",
    "load_analyzer": "analyzer.loading",
    "load_model": "model.making",
    "new_model": "model.making",
    "read": "readers",
    "read_results": "writers.nwb.store",
    "train": "workflows.train",
    "write": "writers.nwb.store",
    "write_report": "workflows.report",
}

__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'nwb_neurid' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"nwb_neurid.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
