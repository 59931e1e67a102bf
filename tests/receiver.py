"""A real OTLP receiver in an environment of its own: it needs other versions of what we depend on."""

from __future__ import annotations

import base64
import fcntl
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HOME = Path(__file__).parents[1] / ".venv-receiver"
REQUIREMENT = "ddapm-test-agent>=1.40,<2"  # the first with OTLP


def install() -> Path:
    """Return the receiver's program, installed once for all test processes."""
    program = HOME / "bin" / "ddapm-test-agent"
    HOME.mkdir(exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (HOME / "ready").exists():
            subprocess.run([sys.executable, "-m", "venv", HOME], check=True, timeout=100)
            pip = [HOME / "bin" / "python", "-m", "pip", "install", "-q", REQUIREMENT]
            subprocess.run(pip, check=True, timeout=500)
            (HOME / "ready").touch()
    return program


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback that nobody listens on."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


class Receiver:
    """What a running receiver was sent."""

    def __init__(self, url: str) -> None:
        self.url = url

    def spans(self) -> list[dict[str, Any]]:
        """Return every span, flat, with its scope and resource."""
        return [
            _flat(span) | {"scope": scope["scope"]["name"], "resource": _values(group["resource"]["attributes"])}
            for request in self._get("/test/session/traces")
            for group in request["resource_spans"]
            for scope in group["scope_spans"]
            for span in scope["spans"]
        ]

    def logs(self) -> list[dict[str, Any]]:
        """Return every log record, flat, with its scope."""
        return [
            _flat(record) | {"scope": scope["scope"]["name"]}
            for request in self._get("/test/session/logs")
            for group in request["resource_logs"]
            for scope in group["scope_logs"]
            for record in scope["log_records"]
        ]

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)


def _values(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: next(iter(pair["value"].values())) for pair in pairs}


def _flat(told: dict[str, Any]) -> dict[str, Any]:
    ids = {key: base64.b64decode(told[key]).hex() for key in ("trace_id", "span_id", "parent_span_id") if key in told}
    events = [{**event, "attributes": _values(event["attributes"])} for event in told.get("events", ())]
    return {**told, **ids, "attributes": _values(told.get("attributes", ())), "events": events}


@contextmanager
def receiving(folder: Path) -> Iterator[Receiver]:
    """Start a receiver on ports of its own, and stop it."""
    plain, http, grpc = free_ports(3)
    ports = ["--port", str(plain), "--otlp-http-port", str(http), "--otlp-grpc-port", str(grpc)]
    with (folder / "receiver.log").open("wb") as log:
        process = subprocess.Popen([install(), "--host", "127.0.0.1", *ports], cwd=folder, stdout=log, stderr=log)
        try:
            _wait_for(http, process)
            yield Receiver(f"http://127.0.0.1:{http}")
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the receiver ended before it listened: see receiver.log"
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the receiver does not listen")
