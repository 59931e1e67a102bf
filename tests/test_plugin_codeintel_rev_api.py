"""Everything public in codeintel_rev is a point or stands in the exclusions with a reason."""

from __future__ import annotations

from fnmatch import fnmatchcase
from importlib import import_module

import pytest
from public_names import classified, public_names

from codeintel_obs.plugins.codeintel_rev.instrumentor import CodeIntelRevInstrumentor
from codeintel_obs.plugins.codeintel_rev.plans import COMMANDS, ROUTES, TOOLS

NAMES = public_names("codeintel_rev")


def named(point):
    """Return what a row names, and where that is defined: some stages are watched where the search calls them."""
    found = import_module(point.module)
    for part in point.name.split("."):
        found = getattr(found, part)
    return f"{found.__module__}:{found.__qualname__}"


class Defined:
    """The plugin's table, each row by the place of its definition."""

    points = tuple(
        type("Row", (), dict(zip(("module", "name"), named(point).split(":"), strict=True)))
        for point in CodeIntelRevInstrumentor.points
    )
    exclusions = CodeIntelRevInstrumentor.exclusions


def test_every_public_name_is_classified_once():
    """Each function and method of every module is a point, or excluded with a reason, and never both."""
    assert len(NAMES) > 300
    assert {name: kinds for name, kinds in classified(Defined, NAMES).items() if len(kinds) != 1} == {}


def test_a_name_that_nobody_classified_is_found():
    """The classification can fail: a new stage, or a new thing that the service can do, has no place in it."""
    new = {
        "codeintel_rev.service:CodeIntel.conjure",
        "codeintel_rev.io.hybrid_search:conjure",
        "codeintel_rev.indexing.build:conjure",
        "codeintel_rev.cli.conjure:run",
    }
    assert {name: kinds for name, kinds in classified(Defined, new).items() if kinds} == {}


def test_no_exclusion_is_left_over():
    """Each pattern excludes something that there is."""
    patterns = CodeIntelRevInstrumentor.exclusions
    assert [each for each in patterns if not any(fnmatchcase(name, each) for name in NAMES)] == []


@pytest.mark.parametrize("point", CodeIntelRevInstrumentor.points, ids=lambda point: f"{point.module}:{point.name}")
def test_every_point_names_something(point):
    """No row is optional: the application comes with the recorder."""
    assert not point.optional
    assert callable(getattr(import_module(point.module), point.name.partition(".")[0]))
    assert named(point).startswith("codeintel_rev.")


def test_every_tool_route_and_command_has_a_plan(tmp_path):
    """Plans name what there is: each tool, each route but health, each command that searches or indexes."""
    from codeintel_rev.app.main import create_app
    from codeintel_rev.config.settings import Settings
    from codeintel_rev.mcp_server.adapters.history import reindex
    from codeintel_rev.mcp_server.server import READING

    assert set(TOOLS) == {tool.__name__ for tool in (*READING, reindex)}
    document = create_app(tmp_path, Settings(tmp_path)).openapi()
    routes = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    planned = {match.replace("*", "{path}") for match in ROUTES}
    assert planned == {route for route in routes if "/v1/" in route}
    assert set(COMMANDS) <= {point.kind for point in CodeIntelRevInstrumentor.points}


def test_plans_name_kinds_of_the_table():
    """A kind that nothing could ever begin would be missed in every report."""
    planned = {kind for plan in CodeIntelRevInstrumentor.plans for kind in plan.kinds}
    assert planned <= {point.kind for point in CodeIntelRevInstrumentor.points}
