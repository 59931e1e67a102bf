"""Everything public in the HTTP client libraries is a point or stands in the exclusions with a reason."""

from __future__ import annotations

import importlib
import inspect
from fnmatch import fnmatchcase

import pytest
from client_names import function, public_names

from codeintel_obs.plugins.http_client.instrumentor import HTTPClientInstrumentor
from codeintel_obs.plugins.http_client.points import POINTS

LOOKED_UP = [point for point in POINTS if not point.handed_on]


def behind(point):
    found = importlib.import_module(point.module)
    for part in point.name.split("."):
        found = getattr(found, part)
    return inspect.unwrap(found)


WATCHED = {id(behind(point)) for point in LOOKED_UP}


def places_of(name):
    """Return what is said of a public name. A point may go by many: a subclass has its method too."""
    excluded = [pattern for pattern in HTTPClientInstrumentor.exclusions if fnmatchcase(name, pattern)]
    return ["point"] if id(function(name)) in WATCHED else excluded


def test_every_public_name_is_classified_once():
    """Each function and method of each library is a point, or excluded by one pattern with its reason."""
    names = public_names()
    assert len(names) > 600
    assert {name: places for name in names if len(places := places_of(name)) != 1} == {}


def test_the_sending_ends_are_points():
    """Those names by which an application can reach the wire itself are points and no exclusions."""
    points = {name for name in public_names() if places_of(name) == ["point"]}
    assert points >= {
        "httpx:HTTPTransport.handle_request",
        "httpx:AsyncHTTPTransport.handle_async_request",
        "httpx2:HTTPTransport.handle_request",
        "httpx2:AsyncHTTPTransport.handle_async_request",
        "aiohttp:TCPConnector.connect",
        "aiohttp:UnixConnector.connect",
    }


def test_a_name_that_nobody_classified_is_found():
    """The classification can fail: a new verb of a known client has no place in it."""
    patterns = HTTPClientInstrumentor.exclusions
    assert [each for each in patterns if fnmatchcase("httpx:Client.conjure", each)] == []
    assert [each for each in patterns if fnmatchcase("urllib3:conjure", each)] == []


def test_no_exclusion_is_left_over():
    """Each pattern excludes something that there is."""
    names = public_names()
    unused = [
        pattern for pattern in HTTPClientInstrumentor.exclusions if not any(fnmatchcase(n, pattern) for n in names)
    ]
    assert unused == []


@pytest.mark.parametrize("point", LOOKED_UP, ids=lambda point: f"{point.module}:{point.name}")
def test_every_point_names_something(point):
    """Each row that is looked up finds a callable of its library."""
    assert callable(behind(point))
