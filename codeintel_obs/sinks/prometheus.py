"""The endpoint that Prometheus scrapes: OpenMetrics with exemplars, by ``prometheus_client``, on a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from codeintel_obs import guard
from codeintel_obs.context import suppress
from codeintel_obs.errors import PluginError

if TYPE_CHECKING:
    from codeintel_obs.recorder import Recorder
    from codeintel_obs.steps import Step

_NO_CLIENT: Final = "the setting prometheus needs prometheus_client: pip install 'codeintel-obs[metrics]'"


class Endpoint:
    """Serves the metrics of this process on the first free port of ``address``, from its first step on.

    ``address`` is ``host:port`` or ``host:first-last``: several processes of one service take a port each. Where none is
    free, nothing is served, and the ledger says so.
    """

    def __init__(self, address: str, buckets: Sequence[float], active: Recorder) -> None:
        _import_client()
        self._host, self._ports = split(address)
        self._buckets = buckets
        self._active = active
        self._server: Any = None
        self.born()

    def born(self) -> None:
        """Begin from zero, in a forked child too: its parent goes on serving its own numbers."""
        inherited, self._server = self._server, None
        if inherited is not None:
            inherited.socket.close()  # else the child holds the port, and answers nobody on it
        self._lock = threading.Lock()
        self._started = False
        self._closed = False
        self._children: dict[tuple[str, str], tuple[Any, Any]] = {}
        self._registry, self._durations, self._steps = _metrics(self._buckets)

    def count(self, kind: str, status: str, seconds: float | None, step: Step) -> None:
        """Count one step; its run and trace are the exemplar."""
        if not self._started:
            self._start()
        found = self._children.get((kind, status))
        if found is None:
            found = self._children[kind, status] = (
                self._durations.labels(kind, status),
                self._steps.labels(kind, status),
            )
        exemplar = {"run_id": step.run.run_id, "trace_id": step.trace_id}  # 110 of the 128 characters that there may be
        found[1].inc(1, exemplar)
        if seconds is not None:
            found[0].observe(seconds, exemplar)

    def close(self) -> None:
        """Stop serving."""
        with self._lock:
            self._closed = True
            server, self._server = self._server, None
        if server is not None:
            with contextlib.suppress(OSError):
                server.socket.shutdown(socket.SHUT_RDWR)  # wakes its thread, which would look only twice a second
            server.shutdown()
            server.server_close()

    def _start(self) -> None:
        with self._lock:
            if self._started:
                return
            self._started = True
        with suppress():  # a name server may take its time, and the step must not wait for it
            threading.Thread(
                target=guard.call, args=(self._serve,), name="codeintel-obs-prometheus", daemon=True
            ).start()

    def _serve(self) -> None:
        server = self._bound()
        if server is None:
            return
        with self._lock:
            if self._closed:
                server.server_close()
                return
            self._server = server
        server.serve_forever()

    def _bound(self) -> Any:
        """Return a server on the first free port, or None: then the ledger says why."""
        problem: OSError | None = None
        for port in self._ports:
            try:
                return _server(self._host, port, self._registry)
            except OSError as exc:
                problem = exc
        said = {"where": "prometheus endpoint", "type": "not served", "count": 1, "message": str(problem)}
        self._active.record("fault", said)
        return None


def split(address: str) -> tuple[str, range]:
    """Return host and ports of ``host:port`` or ``host:first-last``, which the settings have checked."""
    host, _, ports = address.rpartition(":")
    first, _, last = ports.partition("-")
    return host.strip("[]"), range(int(first), int(last or first) + 1)


def _import_client() -> None:
    try:
        import prometheus_client  # noqa: F401 - only whether it is there
    except ImportError as exc:
        raise PluginError(_NO_CLIENT) from exc


def _metrics(buckets: Sequence[float]) -> tuple[Any, Any, Any]:
    from prometheus_client import CollectorRegistry, Counter, Histogram

    registry, labels = CollectorRegistry(), ("kind", "status")
    durations = Histogram(
        "codeintel_step_duration_seconds",
        "How long steps took, by kind and status.",
        labels,
        registry=registry,
        buckets=buckets,
    )
    return registry, durations, Counter("codeintel_steps", "Steps, by kind and status.", labels, registry=registry)


def _server(host: str, port: int, registry: Any) -> Any:
    """Return a bound server that is not serving yet, for both families of addresses."""
    from wsgiref.simple_server import WSGIRequestHandler, make_server

    from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Nobody asked for an access log of scrapes."""

    class Server(ThreadingWSGIServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    return make_server(host, port, make_wsgi_app(registry), Server, Quiet)
