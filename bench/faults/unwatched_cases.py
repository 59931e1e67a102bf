# ruff: noqa: E501 - a line of an expectation is a line of a report
"""A plugin is off: what it would have told is `not_observed`, and never said not to have run."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from .case import Case
from .frames import script
from .git_cases import repository

_PLAN: Final = '[[plans]]\nmatch = "fault.py"\nkinds = [{}]\n'


def plan(*kinds: str) -> str:
    """Return settings in which the script is planned to pass ``kinds``."""
    return _PLAN.format(", ".join(f'"{kind}"' for kind in kinds))


def planning(*kinds: str):
    """Return what writes such settings where the case lies."""

    def write(folder: Path) -> None:
        (folder / "codeintel_obs.toml").write_text(plan(*kinds))

    return write


def planning_git(folder: Path) -> None:
    repository(folder)
    planning("git.history")(folder)


_SEARCH: Final = """
    import faiss
    import numpy as np

    index = faiss.IndexFlatL2(8)
    index.add(np.eye(8, dtype="float32"))
    index.search(np.zeros((1, 8), dtype="float32"), 1)
"""
_QUERY: Final = """
    import duckdb

    duckdb.connect().execute("select 1").fetchall()
"""

CASES: Final = (
    Case(
        name="unwatched.faiss",
        says="FAISS is searched while its plugin is disabled on the command line.",
        sort="unwatched",
        exits=0,
        options=("--disable", "faiss"),
        prepare=planning("faiss.search"),
        script=_SEARCH + _QUERY,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect completed {}
                s3 duckdb.query completed {sql_len: 8, sql_sha256: 822ae07d…, op: SELECT, statements: ['SELECT'], method: execute, result: connection}
                s4 duckdb.fetch completed {method: fetchall, rows: 1} links s3
            """,
            watched="duckdb, faiss disabled by command line, logging",
            more="""
                did not run: faiss.search not_observed (faiss: disabled by command line) [plan, all of p1, all of p2, manifest of p1 #faiss]
            """,
        ),
    ),
    Case(
        name="unwatched.duckdb",
        says="DuckDB is asked while its plugin is disabled in the environment.",
        sort="unwatched",
        exits=0,
        env={"CODEINTEL_OBS_DISABLED_PLUGINS": "duckdb"},
        prepare=planning("duckdb.query", "duckdb.fetch"),
        script=_SEARCH + _QUERY,
        expect=script(
            """
                s1 python.import completed {module: faiss, version: <version>}
                s2 faiss.add completed {n: 8, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False}
                s3 faiss.search completed {nq: 1, k: 1, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False, missing: 0}
            """,
            watched="duckdb disabled by environment, faiss, logging",
            more="""
                did not run: duckdb.query not_observed (duckdb: disabled by environment) [plan, all of p1, all of p2, manifest of p1 #duckdb]
                did not run: duckdb.fetch not_observed (duckdb: disabled by environment) [plan, all of p1, all of p2, manifest of p1 #duckdb]
            """,
        ),
    ),
    Case(
        name="unwatched.git",
        says="git is asked while its plugin is disabled as OpenTelemetry disables one.",
        sort="unwatched",
        exits=0,
        env={"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "codeintel_git"},
        prepare=planning_git,
        script="""
            import duckdb
            import git

            duckdb.connect().close()
            list(git.Repo("shop").iter_commits("HEAD"))
        """,
        expect=script(
            """
                s1 python.import completed {module: duckdb, version: <version>}
                s2 duckdb.connect completed {}
                s3 duckdb.close completed {method: close}
            """,
            watched="duckdb, git disabled by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS, logging",
            more="""
                did not run: git.history not_observed (git: disabled by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS) [plan, all of p1, all of p2, manifest of p1 #git]
            """,
        ),
    ),
    Case(
        name="unwatched.chosen_plugins",
        says="Only FAISS is chosen; what DuckDB did nobody saw.",
        sort="unwatched",
        exits=0,
        options=("--plugins", "faiss"),
        prepare=planning("faiss.search", "duckdb.query"),
        script=_SEARCH + _QUERY,
        expect=script(
            """
                s1 python.import completed {module: faiss, version: <version>}
                s2 faiss.add completed {n: 8, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False}
                s3 faiss.search completed {nq: 1, k: 1, index_type: IndexFlatL2, d: 8, ntotal: 8, gpu: False, missing: 0}
            """,
            watched="faiss, no others chosen",
            more="""
                did not run: duckdb.query not_observed (duckdb: disabled by plugins (command line)) [plan, all of p1, all of p2, manifest of p1 #duckdb]
            """,
        ),
    ),
    Case(
        name="unwatched.failure",
        says="A query fails while nobody watches DuckDB: the run stops by an exception that no step raised.",
        sort="unwatched",
        options=("--disable", "duckdb"),
        prepare=planning("duckdb.query"),
        script="""
            import faiss
            import duckdb

            faiss.IndexFlatL2(8).reset()
            duckdb.connect().execute("select * from nothing")
        """,
        expect=script(
            """
                s1 python.import completed {module: faiss, version: <version>}
                s2 faiss.reset completed {index_type: IndexFlatL2, d: 8, ntotal: 0, gpu: False}
            """,
            watched="duckdb disabled by command line, faiss, logging",
            code=1,
            stop="""
                stopped by no step failed: _duckdb.CatalogException: Catalog Error: Table with name nothing does not exist!\\nDid you mean "pg_settings"?\\n\\nLINE 1: select * from nothing\\n                      ^^^^^^^
                  proof: run.end, process.exit
                  trail end: e1 _duckdb.CatalogException in no step [none]
            """,
            more="""
                did not run: duckdb.query not_observed (duckdb: disabled by command line) [plan, all of p1, all of p2, manifest of p1 #duckdb]
            """,
        ),
    ),
)
