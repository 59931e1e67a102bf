"""Asks codeintel_rev as its servers, its commands and its users would; small repositories, no model."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from codeintel_obs import FieldClass
from codeintel_obs.testing import workout

NAME = "canary_in_a_path.py"
SOURCE = '''"""Charges cards."""


def charge_card(number):
    """Retry until the bank answers."""
    return number
'''


def settings(**more):
    from codeintel_rev.config.settings import EmbeddingSettings, Settings

    return Settings(repository().parent / "cache", embedding=EmbeddingSettings("none"), **more)


def written(root):
    import git

    root.mkdir(parents=True)
    (root / NAME).write_text(SOURCE)
    (root / "notes.txt").write_text("how to charge a card\n")
    with git.Repo.init(root, initial_branch="main") as repo:
        repo.git.add("-A")
        repo.git(c=["user.name=Ann", "user.email=ann@example.invalid"]).commit(
            "-qm", "Add", date="2026-01-01T00:00:00Z"
        )
    return root


@cache
def repository():
    """Return an indexed repository, once for all workouts, and gone with the process."""
    import atexit

    folder = Path(tempfile.mkdtemp(prefix="codeintel-rev-workout-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return written(folder / "repo")


@cache
def index():
    from codeintel_rev.indexing.build import BuildRequest, build_index

    return build_index(BuildRequest(repository(), settings())).index_dir


def error(call):
    from codeintel_rev.errors import RevError

    try:
        return call()
    except RevError as exc:
        return type(exc), exc.what


def outcome(found):
    channels = [(each.channel, each.status, each.reason) for each in found.channels]
    stages = [(each.stage, each.status, each.reason) for each in found.stages]
    return [(hit.path, hit.rank, hit.score) for hit in found.hits], channels, stages


@workout("codeintel_rev", canaries={"canary-in-a-query": FieldClass.TEXT})
def searches(_folder):
    from codeintel_rev.config.settings import SearchSettings
    from codeintel_rev.io.generations import IndexFolder
    from codeintel_rev.io.hybrid_search import HybridSearch, Wish

    generation = IndexFolder(index()).current()
    queries = ("charge a card canary-in-a-query", "charge_card", "notes.txt", r"charge\w+")
    with closing(HybridSearch(generation, settings())) as search:
        seen = [outcome(search.search(query, 5)) for query in queries]
        seen.append(error(lambda: search.search("x", 5, Wish({"bm25": 0.0, "exact": 0.0}))))
        seen.append(error(lambda: search.search("x", 5, Wish({"no such": 1.0}))))
        seen.append(outcome(search.search("charge", 5, Wish(rerank=True))))
    with closing(HybridSearch(generation, settings(search=SearchSettings(recency=0.0)))) as search:
        seen.append(outcome(search.search("charge", 1)))
    return seen


@workout(
    "codeintel_rev",
    canaries={"canary-in-a-pattern": FieldClass.TEXT, "canary-in-a-symbol": FieldClass.TEXT, NAME: FieldClass.PATH},
)
def service(_folder):
    from codeintel_rev.io.symbols import SymbolQuery
    from codeintel_rev.io.text_search import TextQuery
    from codeintel_rev.service import CodeIntel, SearchQuery

    index()
    with closing(CodeIntel(repository(), settings())) as asked:
        status, _ = asked.index_status()
        return [
            [hit.path for hit in asked.search(SearchQuery("charge")).hits],
            error(lambda: asked.search(SearchQuery(" "))),
            asked.search_text(TextQuery("card|canary-in-a-pattern")).body.matches,
            asked.find_symbol(SymbolQuery("charge_card")).body,
            asked.find_symbol(SymbolQuery("canary-in-a-symbol")).body,
            asked.open_file(NAME, 1, 2).body,
            error(lambda: asked.open_file("../x")),
            asked.list_paths(("*.py",)).body,
            len(asked.blame_range(NAME, 1, 3).body),
            len(asked.file_history(NAME).body),
            status.kind,
            len(asked.indexed_commit()),
        ]


@workout("codeintel_rev")
def indexing(folder):
    from codeintel_rev.indexing.build import BuildRequest, build_index
    from codeintel_rev.io.generations import IndexFolder

    root = written(folder / "repo")
    request = BuildRequest(root, settings(), vectors=False)
    made = [build_index(request).manifest for _ in range(2)]
    back = IndexFolder(root / ".codeintel-rev").rollback()
    return [(each.files, each.chunks, each.reused) for each in made], back.number


@workout("codeintel_rev")
def answers_to_errors(_folder):
    from codeintel_rev.app.problems import of_error
    from codeintel_rev.cli.program import main
    from codeintel_rev.errors import NotFoundError
    from codeintel_rev.mcp_server.error_handling import tool_error

    problem, raised = NotFoundError("no such thing", "Mend: make one"), ["search", "x", "--repo", "/no/such/folder"]
    index()
    return [
        (answer := of_error(problem)).status_code,
        answer.body,
        str(tool_error(problem)),
        main(raised),
        main(["status", str(repository()), "--json"]),
    ]
