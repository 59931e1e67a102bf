"""`doctor` finds the mistakes of seams and plans in the source, and imports nothing for it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from codeintel_obs.cli.checks import Surroundings
from codeintel_obs.cli.checks_seams import kinds, targets
from codeintel_obs.cli.seam_targets import look_up
from codeintel_obs.settings import load

SHOP = """
raise RuntimeError("imported")
from shop.base import Base, helper as helped
import json
made = lambda: 1
if True:
    def chosen(a, *, b): ...
class Searcher(Base):
    def find(self, query, limit=3): ...
    @staticmethod
    def joined(first): ...
    @classmethod
    def built(cls, model): ...
    async def fetch(self, **more): ...
    class Inner:
        def deep(self, x): ...
    alias = find
class Other(json.JSONDecoder):
    pass
"""
BASE = """
class Base:
    def inherited(self, a, b): ...
def helper(x): ...
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "shop" / "search.py").write_text(SHOP)
    (tmp_path / "shop" / "base.py").write_text(BASE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("Searcher.find", ("query", "limit")),
        ("Searcher.joined", ("first",)),
        ("Searcher.built", ("model",)),
        ("Searcher.inherited", ("a", "b")),
        ("Searcher.Inner.deep", ("x",)),
        ("helped", ("x",)),
        ("chosen", ("a", "b")),
    ],
)
def test_a_target_is_found_with_its_arguments(folder, name, parameters):
    """Methods of every sort, inherited and imported ones too; the object or class is no argument."""
    assert look_up("shop.search", name, [str(folder)]).parameters == parameters


@pytest.mark.parametrize(
    ("module", "name", "missing"),
    [
        ("shop.search", "Searcher.fnid", "no fnid in class Searcher"),
        ("shop.search", "Searchr.find", "did you mean Searcher?"),
        ("shop.serach", "find", "no module shop.serach"),
        ("nowhere.at.all", "find", "no module nowhere.at.all"),
    ],
)
def test_a_target_that_is_not_there_is_missing(folder, module, name, missing):
    """What the source does not have is said to be missing, with the nearest name that there is."""
    assert missing in look_up(module, name, [str(folder)]).missing


@pytest.mark.parametrize(
    ("module", "name"),
    [("shop.search", "made"), ("shop.search", "Searcher.alias"), ("shop.search", "Other.decode"), ("_json", "scan")],
)
def test_what_the_source_does_not_tell_is_not_guessed(folder, module, name):
    """Assigned names, bases from elsewhere, modules of C's making: nothing is claimed of them."""
    found = look_up(module, name, [str(folder), *sys.path])
    assert found.unknown
    assert found.missing is None


def findings(check, seams=(), plans=(), command=()):
    settings = load({}, None, {"seams": list(seams), "plans": list(plans)})
    return {finding.id: finding for finding in check(Surroundings({}, settings, command))}


def test_doctor_tells_missing_targets_and_arguments(folder):
    """A seam with nothing to wrap, on a class, or of an argument that is not there: an error each, with the mend."""
    seams = [
        {"target": "shop.search:Searcher.fnid", "kind": "shop.one"},
        {"target": "shop.search:Searcher", "kind": "shop.two"},
        {"target": "shop.search:Searcher.find", "kind": "shop.three", "failed_when": "args.querry == 'x'"},
        {"target": "shop.search:made", "kind": "shop.four"},
    ]
    found = findings(targets, seams)
    assert {name: each.level for name, each in found.items()} == {
        "seam-target-missing": "error",
        "seam-target-is-class": "error",
        "seam-argument-missing": "error",
        "seam-not-checked": "note",
    }
    assert found["seam-argument-missing"].mend == "its arguments are: query, limit"


def test_doctor_is_content_with_good_seams(folder):
    """A target with its arguments, and one that takes any keyword, give no finding."""
    seams = [
        {"target": "shop.search:Searcher.find", "kind": "shop.find", "payload": {"query": "args.query"}},
        {"target": "shop.search:Searcher.fetch", "kind": "shop.fetch", "payload": {"any": "args.any"}},
    ]
    plans = [{"match": "app.py", "kinds": ["shop.find", "faiss.search"]}]
    assert findings(targets, seams) == findings(kinds, seams, plans) == {}


def test_doctor_looks_beside_the_script_that_is_to_be_run(folder, tmp_path_factory, monkeypatch):
    """A script's own folder is on its path, wherever doctor is called."""
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    seams = [{"target": "shop.search:Searcher.find", "kind": "shop.find"}]
    assert "seam-target-missing" in findings(targets, seams)
    assert findings(targets, seams, command=("python3", str(folder / "app.py"))) == {}


@pytest.mark.parametrize(
    ("command", "tells"),
    [
        (("python3", "app.py"), True),
        (("/usr/bin/python3.11", "-X", "dev", "-m", "app"), True),
        (("python3", "other.py"), False),
        (("python3", "-c", "app"), False),
        (("uvicorn", "app:app"), False),
        ((), False),
    ],
)
def test_doctor_tells_of_functions_of_the_program_itself(folder, command, tells):
    """Run as a program, a module is `__main__`: it is never imported by its name, and nothing is wrapped."""
    (folder / "app.py").write_text("def work():\n    pass\n")
    found = findings(targets, [{"target": "app:work", "kind": "shop.work"}], command=command)
    assert (set(found) == {"seam-in-the-script"}) is tells


def test_doctor_tells_kinds_that_collide_or_that_nobody_records(folder):
    """A kind that a plugin has, and a plan of a kind that nothing records."""
    seams = [{"target": "shop.search:Searcher.find", "kind": "faiss.search"}]
    found = findings(kinds, seams, [{"match": "app.py", "kinds": ["shop.fnid"]}])
    assert set(found) == {"seam-kind-of-a-plugin", "plan-kind-unknown"}


def test_a_mistake_is_refused_before_anything_runs(tmp_path):
    """`codeintel-obs run` ends with 2 and names file, key and mend; the command has not run."""
    (tmp_path / "codeintel_obs.toml").write_text(
        '[[seams]]\ntarget = "a:b"\nkind = "a.b"\npayload = {x = "eval(args.x)"}'
    )
    (tmp_path / "app.py").write_text("print('ran')")
    command = [sys.executable, "-m", "codeintel_obs.cli", "run", "--", sys.executable, "app.py"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "seams.a:b: payload.x: no function eval" in ended.stderr
    told = subprocess.run(
        [sys.executable, "-m", "codeintel_obs.cli", "doctor", "--json"], cwd=tmp_path, capture_output=True, check=False
    )
    assert any(
        each["id"] == "bad-setting" and "eval" in each["evidence"] for each in json.loads(told.stdout)["findings"]
    )
