"""codeintel_rev on a large repository: a Django source distribution, some 6,900 files, by its words."""

import json
import subprocess
import sys

import indexing
import pytest

from codeintel_rev.config.settings import Settings
from codeintel_rev.retrieval.search import SearchRequest, search

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # minutes, on a machine that does other things too


@pytest.fixture(scope="module")
def django(tmp_path_factory):
    """Skipped, and said so, where no package index can be reached."""
    try:
        return indexing.django(None, tmp_path_factory.mktemp("django"))[0]
    except subprocess.CalledProcessError as error:
        pytest.skip(f"{indexing.DJANGO} cannot be downloaded here: pip ended with {error.returncode}")


@pytest.fixture(scope="module")
def indexed(django):
    """(the account of the command, what it said on the way)"""
    command = [sys.executable, "-m", "codeintel_rev", "index", django, "--no-vectors", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=500)
    return json.loads(done.stdout), done.stderr


def test_every_file_is_accounted_for(django, indexed):
    """Indexed or skipped with its reason; nothing but source that is broken on purpose is unparsed."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=django, check=True, capture_output=True).stdout.count(b"\0")
    made, _ = indexed
    assert made["files"] + sum(made["skipped"].values()) == tracked
    assert set(made["skipped"]) <= {"binary", "minified", "not utf-8", "symlink", "huge"}
    assert (made["unparsed"] <= 1, made["chunks"] > 50_000) == (True, True)


@pytest.mark.parametrize(
    ("query", "path", "name"),
    [
        ("QuerySet.select_related", "django/db/models/query.py", "QuerySet.select_related"),
        ("parse the cookies of a header", "django/http/cookie.py", "parse_cookie"),
        ("quickElement", "django/contrib/admin/static/admin/js/core.js", "quickElement"),
    ],
)
def test_what_is_asked_for_is_found(django, indexed, query, path, name):
    """By its words alone: a method by its name, a place by what it does, a function of another language."""
    hits = search(SearchRequest(query, Settings.load(django), django, k=10)).hits
    assert (path, name) in [(hit.path, hit.name) for hit in hits]
