"""For authors of plugins: record what a plugin does in a test, and prove that it keeps the promises to an application.

In ``conftest.py``::

    pytest_plugins = ["codeintel_obs.testing"]

In a test module, one callable or more that uses the library as an application would, and the suite itself::

    from codeintel_obs.testing import Conformance, workout

    @workout("mylibrary")
    def searches(folder):
        import mylibrary

        return mylibrary.search("query"), mylibrary.search_all(["a", "b"])

    class TestConformance(Conformance):
        plugins = ("mylibrary",)

A workout gets an empty folder and returns what an application would see; the suite runs it unwatched, wrapped and
recorded, with errors of ours injected, and at every content level. It may be a coroutine function, and it must do the
same each time. ``canaries`` names texts that it hands to the library, with the class of what they are: a canary appears
in no record below the content level that keeps its class, and in some record at ``all``. Without ``plugins`` the suite
runs over every plugin that is installed.

For single tests of a plugin: ``with recording(MyInstrumentor) as told: ...``, then ``told.only("library.verb")``.
"""

from __future__ import annotations

from typing import Any

import pytest

pytest.register_assert_rewrite("codeintel_obs.testing.conformance", "codeintel_obs.testing.witness")

from codeintel_obs.testing.conformance import Conformance  # noqa: E402 - its asserts are rewritten first
from codeintel_obs.testing.lab import Lab, installed_plugins  # noqa: E402 - the same
from codeintel_obs.testing.recorded import Recorded, recording  # noqa: E402 - the same
from codeintel_obs.testing.workouts import workout  # noqa: E402 - the same

__all__ = ["Conformance", "Lab", "Recorded", "installed_plugins", "recording", "workout"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that asks for a ``lab`` once for every plugin that its class names, or that is installed."""
    if "lab" in metafunc.fixturenames and issubclass(metafunc.cls or object, Conformance):
        metafunc.parametrize("lab", metafunc.cls.plugins or sorted(installed_plugins()), indirect=True)


@pytest.fixture
def lab(request: pytest.FixtureRequest, tmp_path: Any) -> Lab:
    """Return the plugin under test with its workouts; skips, and says so, where its library is not installed."""
    plugin = installed_plugins().get(request.param)
    if plugin is None:
        pytest.fail(f"no entry point codeintel_{request.param} in the group opentelemetry_instrumentor")
    if plugin().version() is None:
        pytest.skip(f"{request.param}: its library {plugin.library} is not installed here")
    return Lab(plugin, tmp_path)


@pytest.fixture(name="recording")
def recording_fixture() -> Any:
    """Return `recording`, for tests that take it as a fixture."""
    return recording
