"""What cannot be kept: each line of docs/transparency.md that no other test states, as an application would see it."""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
import types
import warnings
from pathlib import Path

import pytest
from processes import OBS, environ, launched, records, report, run

from codeintel_obs import FieldClass, LibraryInstrumentor, Point, carriers
from codeintel_obs.testing import recording

LIBRARY = "codeintel_shapes"


@pytest.fixture(autouse=True)
def shapes(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "libraries"))
    import codeintel_shapes

    return codeintel_shapes


def watching(*names):
    table = tuple(Point(module=LIBRARY, name=name, kind=f"shapes.{name.rpartition('.')[2]}") for name in names)
    body = {"plugin": "shapes", "library": LIBRARY, "points": table, "fields": {"size": FieldClass.COUNT}}
    return type("ShapesInstrumentor", (LibraryInstrumentor,), body)


def seen_twice(plugin, look):
    """Return what ``look`` sees unwatched, and what it sees watched."""
    bare = look()
    with recording(plugin):
        return bare, look()


# -- callables --------------------------------------------------------------------------------------------------------


def test_wrapped_method_is_another_object_at_each_access(shapes):
    """Through its class a method was one object; wrapped, it is bound anew each time, and equal to itself."""

    def look():
        return shapes.Base.work is shapes.Base.work, shapes.Base.work == shapes.Base.work

    assert seen_twice(watching("Base.work"), look) == ((True, True), (False, True))


def test_type_of_a_wrapped_callable_is_the_wrappers(shapes):
    """`type()` names a wrapper, on the module, in the class and on an instance; `isinstance` answers as it did."""

    def look():
        found = (shapes.plain, vars(shapes.Base)["work"], shapes.Base().work)
        kinds = (types.FunctionType, types.FunctionType, types.MethodType)
        exact = [type(each) is kind for each, kind in zip(found, kinds, strict=True)]
        return exact, [isinstance(each, kind) for each, kind in zip(found, kinds, strict=True)]

    expected = ([True] * 3, [True] * 3), ([False] * 3, [True] * 3)
    assert seen_twice(watching("plain", "Base.work"), look) == expected


def test_callable_that_does_not_bind_becomes_a_method_descriptor(shapes, monkeypatch):
    """A function of an extension type that does not bind answers two of `inspect`'s questions differently."""

    class Unbinding:
        def __call__(self):
            return 7

    monkeypatch.setattr(shapes, "unbinding", Unbinding(), raising=False)
    monkeypatch.setattr(shapes, "builtin", len, raising=False)

    def look():
        found = (shapes.unbinding, shapes.builtin)
        return [(inspect.ismethoddescriptor(each), inspect.isroutine(each)) for each in found]

    bare, watched = seen_twice(watching("unbinding", "builtin"), look)
    assert bare == [(False, False), (False, True)]
    assert watched == [(True, True), (True, True)]


def test_name_bound_before_the_watching_is_not_watched(shapes):
    """`from library import function` in a module imported earlier holds the original: its calls are not recorded."""
    bound_before = shapes.plain
    with recording(watching("plain")) as told:
        bound_before(1)
        assert told.kinds == []
        shapes.plain(1)
    assert told.kinds == ["shapes.plain"]


def test_profiler_sees_frames_of_ours(shapes):
    """A profile function is told of our frames; without one, nothing that the library sees has them."""
    files = set()

    def look():
        files.clear()
        sys.setprofile(lambda frame, _event, _argument: files.add(frame.f_globals.get("__name__", "").split(".")[0]))
        try:
            shapes.plain(1)
        finally:
            sys.setprofile(None)
        return "codeintel_obs" in files

    assert seen_twice(watching("plain"), look) == (False, True)


# -- exceptions and streams -------------------------------------------------------------------------------------------


def test_exception_that_passed_a_step_carries_a_token(shapes):
    """The one thing that we leave on an exception is an attribute of our own."""

    def look():
        raised = LookupError("x")
        with pytest.raises(LookupError):
            shapes.raises(raised)
        return sorted(vars(raised))

    assert seen_twice(watching("raises"), look) == ([], ["_codeintel_error"])


@pytest.mark.parametrize(
    ("name", "frame", "code"),
    [("count", "gi_frame", "gi_code"), ("fetch", "cr_frame", "cr_code"), ("stream", "ag_frame", "ag_code")],
)
def test_frame_of_a_stream_is_its_delegates(shapes, name, frame, code):
    """A stream's own frame and code are those of the generator that delegates; its names are the library's."""

    def look():
        made = getattr(shapes, name)(1)
        found = getattr(made, frame).f_globals["__name__"], getattr(made, code).co_name, made.__name__
        if name != "stream":
            made.close()
        return found

    bare, watched = seen_twice(watching(name), look)
    assert bare == (LIBRARY, name, name)
    assert watched[0].startswith("codeintel_obs")
    assert watched[2] == name


def _warned_in(make):
    """Return the module that a warning with ``stacklevel=2`` names, while ``make`` runs a stream to its end."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make()
    (warning,) = caught
    return Path(warning.filename).name


@pytest.mark.parametrize("name", ["warn_in_coroutine", "warn_in_generator", "warn_in_async_generator"])
def test_warning_of_a_stream_names_our_delegate(shapes, name):
    """Coroutines and generators are not frame transparent: with ``stacklevel=2`` they warn of our delegate's line."""

    async def drain():
        return [each async for each in getattr(shapes, name)()]

    async def wait():
        await getattr(shapes, name)()

    runs = {
        "warn_in_coroutine": lambda: asyncio.run(wait()),
        "warn_in_generator": lambda: list(getattr(shapes, name)()),
        "warn_in_async_generator": lambda: asyncio.run(drain()),
    }
    assert seen_twice(watching(name), lambda: _warned_in(runs[name])) == ("test_transparency.py", "streams.py")


# -- the process ------------------------------------------------------------------------------------------------------


def test_child_python_gets_its_environment_from_os_environ():
    """A Python child's environment is handed over whole: a variable set past `os.environ` does not reach it."""
    code = "import os; print(os.environ.get('CODEINTEL_TEST_PUT', 'absent'))"

    def look():
        return subprocess.check_output([sys.executable, "-c", code], text=True).strip()

    os.putenv("CODEINTEL_TEST_PUT", "there")
    try:
        bare = look()
        carriers.install(lambda: None)
        with recording():
            watched = look()
    finally:
        carriers.uninstall()
        os.unsetenv("CODEINTEL_TEST_PUT")
    assert (bare, watched) == ("there", "absent")


def test_one_thread_more_than_threading_lists(tmp_path):
    """After its first record a process has a thread that the kernel lists and `threading` does not: it syncs and prunes."""
    code = """
import os, threading, codeintel_obs
codeintel_obs.start()
before = len(os.listdir("/proc/self/task"))
with codeintel_obs.step("app.work"):
    print(before, len(os.listdir("/proc/self/task")), threading.active_count())
"""
    assert run(tmp_path, sys.executable, "-c", code).stdout == "1 2 1\n"


def test_record_is_in_the_file_before_the_call_goes_on(tmp_path):
    """Inside a step its begin can be read back from the file: the calling thread has written it."""
    code = """
import codeintel_obs, glob
codeintel_obs.start()
with codeintel_obs.step("app.work"):
    (path,) = glob.glob(".codeintel/telemetry/runs/*/*.jsonl")
    print(open(path).read().count('"kind":"app.work"'))
"""
    assert run(tmp_path, sys.executable, "-c", code).stdout == "1\n"


def test_descriptors_of_the_ledger_are_high(tmp_path):
    """Our descriptors are beyond the numbers that an application's own files get."""
    code = """
import codeintel_obs, os
codeintel_obs.start(fsync="none")
lowest = os.dup(0)
os.close(lowest)
with codeintel_obs.step("app.work"):
    again = os.dup(0)
    # files, not the folders that are open for the blink in which they are made durable
    places = {int(each): os.path.realpath(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd")}
    ours = [each for each, path in places.items() if ".jsonl" in path]
    print(again == lowest, bool(ours), min(ours) >= 100)
"""
    assert run(tmp_path, sys.executable, "-c", code).stdout == "True True True\n"


def test_our_finder_stands_first_on_the_meta_path(tmp_path):
    """`sys.meta_path` begins with the finder that tells of imports; it finds nothing itself."""
    code = "import sys; finder = sys.meta_path[0]; print(type(finder).__name__, finder.find_spec('never_there', None))"
    assert launched(tmp_path, code).stdout == "ImportWatcher None\n"


def test_pythonpath_of_a_launched_process_begins_with_ours(tmp_path):
    """The launcher puts one folder in front; what the user set stays behind it."""
    ended = launched(tmp_path, "import os; print(os.environ['PYTHONPATH'])", PYTHONPATH="/somewhere")
    first, *rest = ended.stdout.strip().split(os.pathsep)
    assert (Path(first).parts[-3:], rest) == (("codeintel_obs", "launch", "site"), ["/somewhere"])


@pytest.mark.parametrize("flag", ["-E", "-I", "-S"])
def test_flags_that_hide_our_sitecustomize(tmp_path, flag):
    """With -E, -I or -S the program runs unrecorded; the report of its run has its exit and no step."""
    with_flag = run(tmp_path, OBS, "run", "--", sys.executable, flag, "-c", "import json; print(7)")
    assert (with_flag.returncode, with_flag.stdout) == (0, "7\n")
    assert {each["event"] for each in records(tmp_path)} <= {"run.begin", "process.exit", "run.end"}


def test_parent_of_a_launched_process_is_the_launcher(tmp_path):
    """`codeintel-obs run` stays as the parent that witnesses the exit; with --exec it is the process itself."""
    code = "import os; print(os.getppid())"
    for option, stays in (([], True), (["--exec"], False)):
        child = subprocess.Popen(
            [OBS, "run", *option, "--", sys.executable, "-c", code],
            cwd=tmp_path, env=environ(), stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        out, _ = child.communicate(timeout=60)
        assert (int(out) == child.pid) is stays


def test_failed_run_is_one_line_on_stderr(tmp_path):
    """After a failure the launcher, and nobody else, adds one line to stderr; --quiet takes it away."""
    loud = launched(tmp_path, "raise SystemExit(3)")
    quiet = launched(tmp_path, "raise SystemExit(3)", "--quiet")
    assert loud.stderr.startswith("codeintel-obs: FAILED")
    assert (loud.stderr.count("\n"), quiet.stderr) == (1, "")


def test_carriers_stand_on_methods_of_the_standard_library():
    """`Thread.start` and its like are functions of ours, with the names and signatures of those they stand for."""
    import threading

    original = threading.Thread.start
    carriers.install(lambda: None)
    try:
        ours = threading.Thread.start
        assert (ours is original, ours.__wrapped__ is original) == (False, True)
        assert inspect.signature(ours) == inspect.signature(original)
    finally:
        carriers.uninstall()
    assert threading.Thread.start is original


def test_launched_program_leaves_a_folder(tmp_path):
    """The data directory is the one thing on disk, with a `.gitignore` of everything in it."""
    launched(tmp_path, "import json")
    assert [each.name for each in tmp_path.iterdir()] == [".codeintel"]
    assert (tmp_path / ".codeintel" / ".gitignore").read_text() == "*\n"
    assert report(tmp_path)["outcome"] == "completed"
