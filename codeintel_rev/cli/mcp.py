"""`codeintel-rev mcp`: the tools over stdin and stdout, as an editor or an agent starts them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from codeintel_rev.cli.arguments import common
from codeintel_rev.cli.serve import GOOD, INTERRUPTED, bounds, limits, log_plainly, one_thread_per_search

if TYPE_CHECKING:
    import argparse

    from codeintel_rev.cli.arguments import Subparsers

_CHUNK = 1 << 16


def add(subparsers: Subparsers) -> None:
    command = subparsers.add_parser("mcp", help="serve an index to one MCP client over stdio", allow_abbrev=False)
    command.description = (
        "Speaks the Model Context Protocol on stdin and stdout, until stdin ends. For HTTP see `serve`."
    )
    command.add_argument("repo", nargs="?", type=Path, default=Path(), metavar="REPO", help="default: here")
    bounds(command)
    common(command)


def run(arguments: argparse.Namespace) -> int:
    # Imported here: a question for help need not wait for them.
    import anyio

    log_plainly()
    one_thread_per_search()
    from codeintel_rev.config.settings import Settings
    from codeintel_rev.io.git_client import GitClient
    from codeintel_rev.mcp_server.server import create_server
    from codeintel_rev.serving import serving

    with GitClient.open(arguments.repo) as client:
        root = client.root
    opened = partial(serving, root, Settings.load(root), arguments.index_dir, limits(arguments))
    server = create_server(opened)
    end = _Ending()
    anyio.run(server.run_stdio_async)
    return end.code


class _Ending:
    """Ctrl-C and SIGTERM end the server as the end of stdin does.

    The SDK reads stdin in a thread that nothing can interrupt; so it gets a socket in stdin's place, which can be shut.
    """

    def __init__(self) -> None:
        self.code = GOOD
        wire = os.dup(0)
        self._ours, theirs = socket.socketpair()
        os.dup2(theirs.fileno(), 0)
        theirs.close()
        threading.Thread(target=self._pass_on, args=(wire,), name="codeintel-rev-stdin", daemon=True).start()
        signal.signal(signal.SIGTERM, partial(self._end, GOOD))
        signal.signal(signal.SIGINT, partial(self._end, INTERRUPTED))

    def _pass_on(self, wire: int) -> None:
        with contextlib.suppress(OSError):  # shut meanwhile
            while chunk := os.read(wire, _CHUNK):
                self._ours.sendall(chunk)
        self._shut()

    def _end(self, code: int, *_: object) -> None:
        self.code = code
        self._shut()

    def _shut(self) -> None:
        with contextlib.suppress(OSError):  # twice is no harm
            self._ours.shutdown(socket.SHUT_WR)
