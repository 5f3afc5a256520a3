"""The common part of the specs of encoders and readers: the version number of the contract, and checks of fields."""

from collections.abc import Iterator, Set
from typing import Protocol, runtime_checkable

CONTRACT = 1


@runtime_checkable
class Spec(Protocol):
    """The fields that the specs of encoders and readers have in common."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def version(self) -> str: ...  # noqa: D102
    @property
    def summary(self) -> str: ...  # noqa: D102
    @property
    def contract(self) -> int: ...  # noqa: D102


def list_faults(spec: Spec) -> Iterator[str]:
    """List the errors in the fields that both kinds of spec have."""
    for name in ("name", "version", "summary"):
        if not isinstance(value := getattr(spec, name), str):
            yield f"{name} must be text, got {value!r}"
    if type(spec.contract) is not int:
        yield f"contract must be a whole number (this is version {CONTRACT}), got {spec.contract!r}"


def list_set_faults(name: str, value: object, known: Set[str], *, least: int) -> Iterator[str]:
    """List the errors in a field that must be a set of known names."""
    if not isinstance(value, frozenset) or len(value) < least or not value <= known:
        given = sorted(value) if isinstance(value, Set) else value
        yield f"{name} must be a frozenset with {'some of ' if least else ''}{sorted(known)}, got {given!r}"
