"""`codeintel-rev serve`: HTTP and the MCP tools in one process, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from codeintel_rev.cli.arguments import common
from codeintel_rev.cli.render import to_json
from codeintel_rev.config.settings import index_folder
from codeintel_rev.errors import RevError, UsageError
from codeintel_rev.io.generations import IndexFolder

if TYPE_CHECKING:
    import argparse

    from codeintel_rev.cli.arguments import Subparsers
    from codeintel_rev.gate import Limits

PORT = 8420
_LAST_PORT = 65_535
GOOD, INTERRUPTED = 0, 130
_PATIENCE_SECONDS = 3  # for answers that are under way when the server is told to end
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def add(subparsers: Subparsers) -> None:
    command = subparsers.add_parser("serve", help="serve an index over HTTP and MCP", allow_abbrev=False)
    command.description = "Serves HTTP under /v1, its description under /openapi.json, and the MCP tools under /mcp."
    command.add_argument("repo", nargs="?", type=Path, default=Path(), metavar="REPO", help="default: here")
    command.add_argument("--host", default="127.0.0.1", metavar="HOST", help="default: this machine alone")
    command.add_argument("--port", type=int, default=PORT, metavar="N", help=f"default {PORT}; 0: any free one")
    names = "answer to this name too, when another than HOST is asked for (repeat for several)"
    command.add_argument("--allow-host", action="append", default=[], metavar="NAME", help=names)
    bounds(command)
    common(command)


def bounds(command: argparse.ArgumentParser) -> None:
    """How much at once and for how long; shared with `mcp`."""
    command.add_argument("--workers", type=int, metavar="N", help="requests worked on at once (default: by cores)")
    command.add_argument("--waiting", type=int, default=256, metavar="N", help="more that may wait (default 256)")
    command.add_argument("--seconds", type=float, default=30.0, metavar="S", help="time for a request (default 30)")


def limits(arguments: argparse.Namespace) -> Limits:
    from codeintel_rev.gate import Limits, workers_here

    workers = workers_here() if arguments.workers is None else arguments.workers
    if arguments.seconds <= 0 or workers < 1 or arguments.waiting < 0:
        raise UsageError("--workers and --seconds must be more than 0, and --waiting no less")
    return Limits(workers, arguments.waiting, arguments.seconds)


def log_plainly() -> None:
    """Warnings, a line each, on stderr; before the SDK is asked for a server, which would set up its own way."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")


def one_thread_per_search() -> None:
    """Else each search takes all cores, and a crowd of them most of its time to wait for each other's.

    Measured on 50,000 vectors: a third of the CPU time for a query. OMP_NUM_THREADS, where it is set, is obeyed.
    """
    if "OMP_NUM_THREADS" in os.environ:
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    import faiss  # noqa: F401 - its OpenMP reads the variable now, once

    del os.environ["OMP_NUM_THREADS"]  # indexing, a process of its own, may have them all


def run(arguments: argparse.Namespace) -> int:
    # Imported here: a question for help need not wait for them.
    import uvicorn

    log_plainly()
    one_thread_per_search()
    from codeintel_rev.app.main import create_app
    from codeintel_rev.config.settings import Settings
    from codeintel_rev.io.git_client import GitClient

    with GitClient.open(arguments.repo) as client:  # before anything listens
        root = client.root
    settings = Settings.load(root)
    app = create_app(root, settings, arguments.index_dir, limits(arguments), _hosts(arguments))
    listener = listening(arguments.host, arguments.port)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        http="h11",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=_PATIENCE_SECONDS,
    )
    _announce(root, listener, arguments)
    return _served(uvicorn.Server(config), listener)


def _served(server: object, listener: socket.socket) -> int:
    # uvicorn ends in good order and then raises the signal again, for whoever waited for it before
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        server.run(sockets=[listener])  # type: ignore[attr-defined] # uvicorn is imported late
    except KeyboardInterrupt:
        sys.stderr.write("codeintel-rev: stopped\n")
        return INTERRUPTED
    finally:
        listener.close()
    return GOOD


def _hosts(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Names under which it answers; none are checked when it is reachable from elsewhere and none were named."""
    from codeintel_rev.app.middleware import LOOPBACK

    if arguments.host in _LOOPBACK or arguments.allow_host:
        return (*LOOPBACK, *([] if arguments.host in _LOOPBACK else [arguments.host]), *arguments.allow_host)
    return ()


def listening(host: str, port: int) -> socket.socket:
    if not 0 <= port <= _LAST_PORT:
        raise UsageError(f"--port is {port}", f"Mend: give 0 to {_LAST_PORT}")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        told = os.strerror(error.errno) if error.errno else str(error)
        raise RevError(f"{host}:{port} cannot be listened on: {told}", "Mend: --port 0 takes any free one") from error
    # accepted sockets inherit it; asyncio sets it by itself only for a listener that was made with IPPROTO_TCP
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _announce(root: Path, listener: socket.socket, arguments: argparse.Namespace) -> None:
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if arguments.json:
        sys.stdout.write(to_json({"url": url, "mcp": f"{url}/mcp", "repo": str(root), "pid": os.getpid()}))
    else:
        sys.stdout.write(f"serving {root} at {url}\n  API   {url}/openapi.json\n  MCP   {url}/mcp\n  stop  Ctrl-C\n")
    sys.stdout.flush()
    try:
        IndexFolder(index_folder(root, arguments.index_dir)).current()
    except RevError as error:
        sys.stderr.write(f"codeintel-rev: {error}\n")
    if arguments.host not in _LOOPBACK:
        told = f"everybody who reaches {url} can read this repository: let a proxy ask who they are"
        sys.stderr.write(f"codeintel-rev: {told}\n")
