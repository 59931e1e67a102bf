"""A launched process pays for what it uses: what is in memory when, and what happens at the edges of its life."""

from __future__ import annotations

import sys

import pytest
from processes import OBS, kinds, launched, records, report, run

MODULES = "import sys; print(*sorted(sys.modules))"


def loaded(folder, code="pass", **more):
    return set(launched(folder, f"{code}\n{MODULES}", **more).stdout.splitlines()[-1].split())


def bare(folder, code="pass"):
    return set(run(folder, sys.executable, "-c", f"{code}\n{MODULES}").stdout.split())


# -- what is not loaded ----------------------------------------------------------------------------------------------

HEAVY = (
    "argparse shutil subprocess threading pathlib dataclasses inspect importlib.metadata msgspec opentelemetry wrapt"
    " pluggy codeintel_obs.recorder codeintel_obs.steps codeintel_obs.ledger.writer"
    " codeintel_obs.ledger.encoding codeintel_obs.report tomllib"
).split()


@pytest.mark.parametrize("options", [[], ["--quiet", "--run-id=r", "--disable", "git"]])
def test_the_supervisor_has_next_to_nothing_in_memory(tmp_path, options):
    """From its options to the exit that it has written it needs neither dependencies nor the recorder."""
    words = ["run", *options, "--", "true"]
    ended = run(tmp_path, sys.executable, "-c", f"from codeintel_obs.cli import main; main({words})\n{MODULES}")
    assert {"codeintel_obs.launch.supervisor", "codeintel_obs.ledger.supervise"} <= set(ended.stdout.split())
    assert set(HEAVY) & set(ended.stdout.split()) == set()
    assert "process.exit" in [each["event"] for each in records(tmp_path)]


DEARER = "argparse tomllib opentelemetry.sdk opentelemetry.exporter faiss duckdb git".split()


def test_a_launched_process_has_no_sdk_and_no_watched_library_in_memory(tmp_path):
    """Without an endpoint, and before the application imports what is watched, neither is loaded."""
    assert set(DEARER) & (loaded(tmp_path) - bare(tmp_path)) == set()


SEARCH = """
import faiss, numpy as np
index = faiss.IndexFlatL2(8)
index.search(np.zeros((1, 8), "f4"), 2)
"""


def test_what_happens_at_exit_is_recorded(tmp_path):
    """A handler that was registered before the first record runs before the recording ends."""
    code = "import atexit\natexit.register(lambda: index.search(np.zeros((1, 8), 'f4'), 2))" + SEARCH
    assert launched(tmp_path, code).returncode == 0
    assert kinds(report(tmp_path)).count(("faiss.search", "completed")) == 2
    assert report(tmp_path)["integrity"]["complete"] is True


def test_a_first_record_at_exit_is_recorded(tmp_path):
    """An exit handler that imports a watched library for the first time is not too late."""
    assert launched(tmp_path, f"import atexit\natexit.register(lambda: exec({SEARCH!r}, {{}}))").returncode == 0
    assert kinds(report(tmp_path))[-1] == ("faiss.search", "completed")


def test_forked_children_join_although_nothing_was_loaded(tmp_path):
    """Parent and child start recording each for itself, and write into one attempt."""
    code = f"import os, sys\nchild = os.fork()\n{SEARCH}\nif child: os.waitpid(child, 0)"
    assert launched(tmp_path, code).returncode == 0
    assert kinds(report(tmp_path)).count(("faiss.search", "completed")) == 2
    assert len({each["attempt"] for each in records(tmp_path)}) == 1


def test_a_bad_setting_is_said_at_launch(tmp_path):
    """A descendant in another folder, which nobody checked, says what is wrong there, record or none."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "codeintel_obs.toml").write_text("fsync = 'sometimes'\n")
    ended = run(tmp_path, OBS, "run", "--", "sh", "-c", f"cd inner && {sys.executable} -c 'print(1)'")
    assert ended.stdout == "1\n"
    assert "codeintel_obs.toml: fsync" in ended.stderr


def test_a_broken_installation_is_one_line(tmp_path):
    """A dependency that cannot be imported costs the record, and nothing else."""
    (tmp_path / "broken" / "msgspec").mkdir(parents=True)
    (tmp_path / "broken" / "msgspec" / "__init__.py").write_text("raise ImportError('broken')\n")
    ended = launched(tmp_path, "import logging, subprocess; print('ran')", PYTHONPATH=str(tmp_path / "broken"))
    assert ended.stdout == "ran\n"
    assert ended.stderr == "codeintel-obs: not recording: ImportError: broken; see `codeintel-obs doctor`\n"


def test_nobody_to_tell_is_no_error(tmp_path):
    """Where the application has closed its standard error the one line is not said, and it goes on."""
    (tmp_path / "broken" / "msgspec").mkdir(parents=True)
    (tmp_path / "broken" / "msgspec" / "__init__.py").write_text("raise ImportError('broken')\n")
    code = "import sys; sys.stderr.close(); import logging; print('ran')"
    assert launched(tmp_path, code, PYTHONPATH=str(tmp_path / "broken")).stdout == "ran\n"


# -- strangers -------------------------------------------------------------------------------------------------------


def installed(folder, name, declared, module):
    """Put a distribution with these entry points on a path, as an installer does."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(declared)
    (folder / f"{name}.py").write_text(module)


SINK = """
from codeintel_obs import hookimpl
print("made")
class Bell:
    @hookimpl
    def obs_shutdown(self):
        print("closed")
"""
PLUGIN = """
from codeintel_obs import LibraryInstrumentor, Point
print("loaded")
class Instrumentor(LibraryInstrumentor):
    plugin = "difflib"
    library = "difflib"
    points = (Point("difflib", "get_close_matches", "difflib.match"),)
"""
WAITS = "\n[codeintel_obs_library]\ndifflib = strange:Instrumentor\n"


@pytest.mark.parametrize(
    ("declared", "module", "said"),
    [
        ("[codeintel_obs]\nbell = strange:Bell\n", SINK, ["made", "ran", "closed"]),
        ("[opentelemetry_instrumentor]\ncodeintel_difflib = strange:Instrumentor\n", PLUGIN, ["loaded", "ran"]),
        ("[opentelemetry_instrumentor]\ncodeintel_difflib = strange:Instrumentor\n" + WAITS, PLUGIN, ["ran", "loaded"]),
    ],
)
def test_a_strangers_package_is_loaded_when_it_always_was(tmp_path, declared, module, said):
    """A sink, or a plugin that waits for no library, at launch; a plugin that names its library, before that."""
    installed(tmp_path / "packages", "strange", declared, module)
    ended = launched(tmp_path, "print('ran')\nimport difflib", PYTHONPATH=str(tmp_path / "packages"))
    assert (ended.stdout.splitlines(), ended.stderr) == (said, "")
