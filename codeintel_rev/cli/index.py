"""`codeintel-rev index`: make or renew the index of a repository, once or whenever it changes."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from codeintel_rev.cli.arguments import common
from codeintel_rev.config.settings import Settings
from codeintel_rev.errors import RevError, UsageError

if TYPE_CHECKING:
    import argparse

    from codeintel_rev.cli.arguments import Subparsers
    from codeintel_rev.indexing.build import BuildRequest, Built

_DESCRIPTION = """Indexes the files of HEAD, or of the working tree. The old index answers until the new one is complete;
what takes long to embed can be searched by its words meanwhile. Only what is new is embedded."""
_PATHS_HELP = """index only what matches, as in .gitignore: '*.py' at any depth, 'src/**/*.ts' from the root,
a folder for all below it"""
_WORKING_TREE_HELP = """index files as they are on disk, uncommitted edits and untracked files with them
(what .gitignore names is left out); else as committed in HEAD"""
_AGAIN_HELP = "with the paths, and the tree, that the present index was made with"


def add(subparsers: Subparsers) -> None:
    command = subparsers.add_parser("index", help="index the commit that HEAD names", allow_abbrev=False)
    command.description = _DESCRIPTION
    command.add_argument("repo", nargs="?", type=Path, default=Path(), metavar="REPO", help="default: here")
    command.add_argument("--paths", nargs="+", action="extend", default=[], metavar="GLOB", help=_PATHS_HELP)
    command.add_argument("--working-tree", action="store_true", help=_WORKING_TREE_HELP)
    command.add_argument("--again", action="store_true", help=_AGAIN_HELP)
    command.add_argument("--no-vectors", action="store_true", help="lexical only: no model is loaded")
    command.add_argument("--watch", action="store_true", help="and again whenever it changes, until Ctrl-C")
    common(command)


def run(arguments: argparse.Namespace) -> int:
    request = _request(arguments)
    try:
        if arguments.watch:
            return _watch(request, as_json=arguments.json)
        _print(_build(request, as_json=arguments.json), as_json=arguments.json)
    except KeyboardInterrupt as stopped:
        raise KeyboardInterrupt(_what_stays(request)) from stopped
    return 0


def _what_stays(request: BuildRequest) -> str:
    from codeintel_rev.indexing.status import index_status

    status = index_status(request.repo, request.index_dir)
    made = status.manifest
    if made is None:
        return "nothing is indexed yet. Mend: index again"
    if any(kept.generation.current and kept.generation.interim for kept in status.history):
        kept = f"commit {made.commit[:12]} answers by its words, and vectors that were made are kept"
        return f"{kept}. Mend: index again, it goes on from there"
    return f"the index of commit {made.commit[:12]} answers as before. Mend: index again"


def _request(arguments: argparse.Namespace) -> BuildRequest:
    # Imported here, as below: a question for help need not wait for faiss and duckdb.
    from codeintel_rev.indexing.build import BuildRequest, as_before

    settings, paths, vectors = Settings.load(arguments.repo), tuple(arguments.paths), not arguments.no_vectors
    if not arguments.again:
        where = arguments.index_dir
        return BuildRequest(arguments.repo, settings, paths, where, vectors, working_tree=arguments.working_tree)
    if paths or arguments.working_tree:
        raise UsageError("--again is with what was given before", "Mend: leave out --paths and --working-tree")
    return replace(as_before(arguments.repo, settings, arguments.index_dir), vectors=vectors)


def _build(request: BuildRequest, *, as_json: bool) -> Built:
    from codeintel_rev.cli.progress import shown
    from codeintel_rev.indexing.build import build_index

    with shown(quiet=as_json) as progress:
        return build_index(request, progress)


def _print(built: Built, *, as_json: bool, lines: bool = False) -> None:
    from codeintel_rev.cli.render_index import index_json, index_line, index_text

    if lines:
        sys.stdout.write(index_line(built, as_json=as_json))
    else:
        sys.stdout.write(index_json(built) if as_json else index_text(built))
    sys.stdout.flush()


def _watch(request: BuildRequest, *, as_json: bool) -> int:
    """Ctrl-C ends it well while it waits, and as an interruption while it indexes."""
    from codeintel_rev.indexing.watch import Watch

    watch, building = Watch(request), False
    try:
        while True:
            watch.wait()
            building = True
            built = _attempt(request, as_json=as_json)
            building = False
            if built is None:
                watch.failed()
            else:
                _print(built, as_json=as_json, lines=True)
                watch.done()
    except KeyboardInterrupt:
        if building:
            raise
        sys.stderr.write("codeintel-rev: watching ended\n")
        return 0


def _attempt(request: BuildRequest, *, as_json: bool) -> Built | None:
    try:
        return _build(request, as_json=as_json)
    except (RevError, OSError) as error:  # a full disk, another builder, a half-done checkout: all of it passes
        sys.stderr.write(f"codeintel-rev: {' '.join(str(error).split())}\n")
        return None
