"""Everything public in Starlette and FastAPI is a point or stands in the exclusions with a reason."""

from __future__ import annotations

import pytest
from public_names import classified, public_names

from codeintel_obs.plugins.fastapi.instrumentor import FastAPIInstrumentor
from codeintel_obs.plugins.mcp.instrumentor import MCPInstrumentor

CASES = {
    "fastapi": (FastAPIInstrumentor, ("starlette", "fastapi"), 400),
    "mcp": (MCPInstrumentor, ("mcp", "fastmcp"), 1500),
}


def names_of(case):
    packages = CASES[case][1]
    servers = public_names("uvicorn") if case == "fastapi" else set()
    classes = ("uvicorn.server:Server.", "uvicorn.config:Config.")
    return public_names(*packages) | {name for name in servers if name.startswith(classes)}


@pytest.mark.parametrize("case", CASES)
def test_every_public_name_is_classified_once(case):
    """Each function and method of every module is a point, or excluded with a reason, and never both."""
    plugin, _, least = CASES[case]
    names = names_of(case)
    assert len(names) > least
    found = classified(plugin, names)
    assert {name: said for name, said in found.items() if len(said) != 1} == {}


@pytest.mark.parametrize("case", CASES)
def test_no_exclusion_is_left_over(case):
    """Each pattern excludes something that there is and that is no point."""
    plugin = CASES[case][0]
    used = {pattern for said in classified(plugin, names_of(case)).values() for pattern in said}
    assert sorted(set(plugin.exclusions) - used) == []


def test_a_name_that_nobody_classified_is_found():
    """The classification can fail: a new module has no place in it."""
    assert classified(FastAPIInstrumentor, {"starlette.conjuring:conjure"}) == {"starlette.conjuring:conjure": []}
