"""Our names of the semantic conventions are OpenTelemetry's own."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

from codeintel_obs import semconv

OURS = {name: value for name, value in vars(semconv).items() if name.isupper()}
NOT_UPSTREAM = {"GEN_AI_RETRIEVAL_TOP_K": "in the conventions' own repository, not yet in the Python package"}


def _upstream() -> dict[str, str]:
    """Every attribute name that the installed package defines, by constant."""
    names: dict[str, str] = {}
    for package in ("opentelemetry.semconv.attributes", "opentelemetry.semconv._incubating.attributes"):
        parent = importlib.import_module(package)
        for module in pkgutil.iter_modules(parent.__path__, f"{package}."):
            found = vars(importlib.import_module(module.name))
            names |= {name: value for name, value in found.items() if name.isupper() and isinstance(value, str)}
    return names


@pytest.mark.parametrize("name", sorted(set(OURS) - set(NOT_UPSTREAM)))
def test_a_name_is_the_installed_packages(name):
    """Each constant has the value that the installed opentelemetry-semantic-conventions gives the same name."""
    assert _upstream().get(name) == OURS[name]


@pytest.mark.parametrize("name", sorted(NOT_UPSTREAM))
def test_a_name_without_an_upstream_constant_is_listed_only_while_it_has_none(name):
    """The list of names that upstream lacks shrinks as soon as upstream has them."""
    assert OURS[name]
    assert OURS[name] not in _upstream().values()


def test_a_constant_is_named_after_its_value():
    """``DB_SYSTEM_NAME`` is ``db.system.name``: a reader finds the attribute without looking it up."""
    assert {value.upper().replace(".", "_") for value in OURS.values()} == set(OURS)
