"""Reading entry points ourselves finds what `importlib.metadata` would, in its order; and so it is with versions."""

from __future__ import annotations

import sys
import zipfile
from importlib import metadata

import pytest

from codeintel_obs.launch import entry_points
from codeintel_obs.launch.entry_points import EntryPoint, find, version_of

GROUPS = ("codeintel_obs", "codeintel_obs_library", "opentelemetry_instrumentor")
SINK = "[codeintel_obs]\nbell = bells:Bell\n"


def facts(points):
    return [(each.group, each.name, each.value) for each in points]


def by_metadata(group):
    """What `importlib.metadata` finds on `sys.path`, less OpenTelemetry's own instrumentors."""
    found = metadata.entry_points(group=group)
    return [each for each in facts(found) if group != GROUPS[2] or each[1].startswith("codeintel_")]


def distribution(folder, name, declared, version="1.0"):
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nVersion: not this\n")
    (info / "entry_points.txt").write_text(declared, encoding="utf-8")
    return info


@pytest.mark.parametrize("group", GROUPS)
def test_this_environment_is_read_as_metadata_reads_it(group):
    """All of ours, in the same order."""
    found = [each for each in facts(find()) if each[0] == group]
    assert found == by_metadata(group) != []


FORMS = {
    "plain": SINK,
    "spaced": "\n [codeintel_obs] \n\n  bell  =  bells : Bell.inner  \n# codeintel = comment\n",
    "extras": "[codeintel_obs]\nbell = bells:Bell [extra,more]\nwhole = bells\n",
    "windows": "[console_scripts]\r\ncodeintel = a:b\r\n[codeintel_obs]\r\nbell=bells:Bell\r\n",
    "others": "[other]\nbell = a:B\n[opentelemetry_instrumentor]\nflask = a:B\ncodeintel_x = c:D\n[codeintel_other]\na = b:c\n",
    "no group": "bell = bells:Bell codeintel\n",
    "not ascii": "[codeintel_obs]\nglöckchen = bells:Bell\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_file_is_read_as_metadata_reads_it(tmp_path, monkeypatch, form):
    """Blanks, comments, line ends, extras and groups of others."""
    distribution(tmp_path, "bells", FORMS[form])
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert sorted(facts(find())) == sorted(each for group in GROUPS for each in by_metadata(group))


def test_the_first_of_a_name_hides_the_others(tmp_path, monkeypatch):
    """As on any path; names are compared as installers compare them."""
    distribution(tmp_path / "a", "My.Bells", "[other]\nx = y:z\n", "2.0")
    distribution(tmp_path / "b", "my_bells", SINK)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / "none")])
    assert facts(find()) == by_metadata("codeintel_obs") == []
    monkeypatch.setattr(sys, "path", sys.path[::-1])
    assert facts(find()) == by_metadata("codeintel_obs") == [("codeintel_obs", "bell", "bells:Bell")]


@pytest.mark.parametrize("how", ["archive", "egg", "finder"])
def test_what_is_no_plain_folder_is_left_to_metadata(tmp_path, monkeypatch, how):
    """Archives, eggs and other people's finders of distributions lose nothing."""
    if how == "archive":
        with zipfile.ZipFile(tmp_path / "packages.zip", "w") as archive:
            archive.writestr("bells-1.0.dist-info/METADATA", "Name: bells\nVersion: 1.0\n")
            archive.writestr("bells-1.0.dist-info/entry_points.txt", SINK)
        paths = [str(tmp_path / "packages.zip")]
    elif how == "egg":
        info = tmp_path / "bells-1.0-py3.egg" / "EGG-INFO"
        info.mkdir(parents=True)
        (info / "PKG-INFO").write_text("Name: bells\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(SINK)
        paths = [str(info.parent)]
    else:
        paths = []
        monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder(distribution(tmp_path, "bells", SINK))])
    monkeypatch.setattr(sys, "path", paths)
    assert facts(find()) == by_metadata("codeintel_obs") == [("codeintel_obs", "bell", "bells:Bell")]
    assert version_of("bells") == "1.0"


class Finder:
    """A finder of distributions of somebody's own."""

    def __init__(self, info):
        self.info = info

    def find_spec(self, *_):
        return None

    def find_distributions(self, _context):
        return [metadata.PathDistribution(self.info)]


@pytest.mark.parametrize("value", ["importlib.metadata", "importlib.metadata:version", "os : path.join [x]"])
def test_an_entry_point_loads_what_metadata_loads(value):
    """A module, an object of it, and an object of an object."""
    assert EntryPoint("a", value, "b").load() is metadata.EntryPoint("a", value, "b").load()


def test_our_own_version_is_the_installed_one():
    """Read from the file; another's that is not installed is unknown."""
    assert version_of("codeintel_obs") == metadata.version("codeintel-obs")
    assert version_of("no_such_distribution_of_ours") is None


def test_an_unreadable_folder_is_passed_over(tmp_path, monkeypatch):
    """What cannot be listed holds nothing, and is no error."""
    monkeypatch.setattr(sys, "path", [str(tmp_path / "none"), ""])
    assert [each for each in find() if each.name == "bell"] == []
    assert entry_points.find([]) == []
