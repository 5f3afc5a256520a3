"""The base class of both extensions. Earlier results stay until new results are saved, and rows follow the units."""

import inspect
import sys
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
from spikeinterface.core import SortingAnalyzer
from spikeinterface.core.sortinganalyzer import AnalyzerExtension, get_extension_class, register_result_extension

from nwb_neurid._system.warning import warn
from nwb_neurid.analyzer.models import build_model, check_model, check_parameters, fill_default
from nwb_neurid.analyzer.serialization import select_rows
from nwb_neurid.analyzer.storage import Saved, read_saved, write_saved
from nwb_neurid.contracts import Progress, ReadOptions, silent
from nwb_neurid.errors import DuplicatePlugin, NeuridError
from nwb_neurid.model.model import Model
from nwb_neurid.population import Population
from nwb_neurid.readers import read_for, reader_for

T = TypeVar("T")

WITHOUT_MODEL = "merged or split after it was embedded, without the model"
MODEL_PARAMETERS = ("model", "encoder", "preset", "untrained", "seed", "device", "weights_sha256")


class NeuridExtension(AnalyzerExtension):  # type: ignore[misc]
    """An extension that computes its results first, and then replaces the saved results in one step.

    SpikeInterface deletes saved results before it checks the parameters, and again when anything fails. With this
    class, earlier results stay if anything fails, even if the disk is full or the process is killed.
    """

    depend_on: tuple[str, ...] = ()
    need_recording = False
    use_nodepipeline = False
    need_job_kwargs = True

    def __init__(self, sorting_analyzer: SortingAnalyzer) -> None:
        super().__init__(sorting_analyzer)
        self._computing = False
        self._is_loaded = False

    @abstractmethod
    def _compute(self, analyzer: SortingAnalyzer, progress: Progress) -> dict[str, np.ndarray]:
        """Compute the arrays for the units of an analyzer, with the parameters of this extension."""

    @abstractmethod
    def _keep_rows(self, unit_ids: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Keep these rows of this extension for other units. A unit with a negative row gets a reason."""

    @classmethod
    def get_required_dependencies(cls, **params: Any) -> list[str]:
        """Check the parameters and return no dependencies. SpikeInterface calls this before it deletes anything.

        Raises
        ------
        InvalidOption, InvalidModel
            If a parameter does not exist, or there is no model of the given name.
        """
        check_parameters(cls.extension_name, params, list_parameters(cls))
        check_model(**params)
        return []

    @classmethod
    def get_optional_dependencies(cls, **params: Any) -> list[str]:  # noqa: ARG003
        """List extensions that are used if they exist, so that they are computed, merged and split before this one."""
        return ["templates", "unit_locations"]

    def set_params(self, save: bool = True, **params: Any) -> None:  # noqa: ARG002
        """Set the parameters. Saved results stay until `run` has finished."""
        check_parameters(self.extension_name, params, list_parameters(type(self)))
        self._computing = True
        self.params = self._set_params(**params)

    def run(self, save: bool = True, verbose: bool = False, **job_kwargs: Any) -> None:  # noqa: ARG002
        """Compute the results, and then replace saved results. Of the job parameters, only `progress_bar` is used."""
        started = perf_counter()
        self.data = self._compute(self.sorting_analyzer, _make_bar(self.extension_name, job_kwargs))
        self.run_info = {"run_completed": True, "runtime_s": perf_counter() - started}
        if save and not self.sorting_analyzer.is_read_only():
            self.save()
        self._computing = False

    def save(self) -> None:
        """Replace saved results. If a model was given as an object, only its hash and its encoder are stored."""
        model = self.params["model"]
        params = {**self.params, "model": "" if isinstance(model, Model) else str(model)}
        write_saved(self, Saved(data=self.data, params=params, run_info=self.run_info))

    def load_params(self) -> None:
        """Read saved results. SpikeInterface calls this method first."""
        saved = read_saved(self)
        self._is_loaded = saved is not None
        if saved is None:
            super().load_params()
        else:
            self.params, self.run_info, self.data = dict(saved.params), dict(saved.run_info), dict(saved.data)

    def load_run_info(self) -> None:
        """Set whether the run was completed, unless `load_params` has set it."""
        if not self._is_loaded:
            super().load_run_info()

    def load_data(self, lazy: bool = False) -> None:
        """Set the arrays, unless `load_params` has set them."""
        if not self._is_loaded:
            super().load_data(lazy=lazy)

    def _delete_extension_folder(self) -> None:
        """Delete saved results. SpikeInterface also calls this after an error, and the results are then kept."""
        if self._computing and (error := sys.exception()) is not None:
            raise error  # before SpikeInterface drops what is in memory
        super()._delete_extension_folder()

    def _add_model(self, **params: Any) -> dict[str, Any]:
        """Add the encoder and the hash of the model that the parameters specify."""
        self.params = fill_default(params)
        found = self._load_model()
        return {**self.params, "encoder": params["encoder"] or found.name, "weights_sha256": found.weights_sha256}

    def _load_model(self) -> Model:
        return build_model(**{name: self.params[name] for name in MODEL_PARAMETERS})

    def _select_units_extension_data(self, unit_ids: Iterable[Any]) -> dict[str, np.ndarray]:
        return select_rows(self.data, self.sorting_analyzer.sorting.ids_to_indices(unit_ids))

    def _merge_extension_data(
        self, _groups: object, _unit_ids: object, analyzer: SortingAnalyzer, *_: object, **job_kwargs: Any
    ) -> dict[str, np.ndarray]:
        """Compute all vectors again after units were merged or split, because an encoder may use all units.

        Without the model, unchanged units keep their rows.
        """
        try:
            self._load_model()
        except NeuridError as error:
            warn(
                f"{self.extension_name}: units that were merged or split have no results, because the model cannot "
                f"be loaded. Compute the extension again with that model. {error}"
            )
            old = {unit: row for row, unit in enumerate(self.sorting_analyzer.unit_ids.tolist())}
            rows = np.array([old.get(unit, -1) for unit in analyzer.unit_ids.tolist()], np.int64)
            return self._keep_rows(np.asarray(analyzer.unit_ids), rows)
        return self._compute(analyzer, _make_bar(self.extension_name, job_kwargs))

    _split_extension_data = _merge_extension_data


def list_parameters(extension: type[NeuridExtension]) -> dict[str, Any]:
    """List the parameters of an extension with their defaults."""
    parameters = inspect.signature(extension._set_params).parameters
    return {name: parameter.default for name, parameter in parameters.items() if name != "self"}


def read_population(analyzer: SortingAnalyzer, model: Model) -> Population:
    """Read the units of an analyzer, in its order, as the model needs them."""
    return read_for(model.spec, reader_for(analyzer), analyzer, ReadOptions())


def register(extension: type[NeuridExtension]) -> None:
    """Register an extension in SpikeInterface. If its module is reloaded, the first registered class stays.

    Raises
    ------
    DuplicatePlugin
        If another package has an extension of this name.
    """
    try:
        register_result_extension(extension)
    except AssertionError:
        other = get_extension_class(extension.extension_name)
        if other is None or (other.__module__, other.__name__) != (extension.__module__, extension.__name__):
            raise DuplicatePlugin(
                f"SpikeInterface already has an extension {extension.extension_name!r}, defined by "
                f"{getattr(other, '__module__', 'an unknown module')}. Import only one of the two packages."
            ) from None


def _make_bar(name: str, job_kwargs: Mapping[str, Any]) -> Progress:
    """Make a progress bar like that of SpikeInterface, if SpikeInterface would show one."""
    if not job_kwargs.get("progress_bar", False):
        return silent

    def bar(items: Iterable[T], *, label: str = "", total: int | None = None) -> Iterable[T]:
        from tqdm.auto import tqdm

        shown: Iterable[T] = tqdm(items, desc=f"{name} {label}".strip(), total=total)
        return shown

    return bar
