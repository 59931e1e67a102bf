"""vLLM's own OpenAI-compatible server on a real socket, with and without the recorder."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import processes
from receiver import free_ports

RECORDED = (processes.OBS, "run", "--quiet", "--")
OPTIONS = (
    "--dtype", "float32", "--enforce-eager", "--max-model-len", "256", "--host", "127.0.0.1",
    "--distributed-executor-backend", "uni",  # one process less that has to import vLLM
)  # fmt: skip
_COUNTER = re.compile(r'^vllm:request_success_total\{.*finished_reason="(\w+)".*\} (\S+)$', re.MULTILINE)
_HTTP = re.compile(r'^http_requests_total\{(?=.*method="POST").*status="(\dxx)".*\} (\S+)$', re.MULTILINE)
_IDLE = re.compile(r"^vllm:num_requests_(?:running|waiting)\{.*\} 0\.0$", re.MULTILINE)


class Server:
    """A running server."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url = url
        self.process = process

    def post(self, path: str, **body: Any) -> Any:
        """Return status and body of the answer to a request."""
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=100) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def stream(self, path: str, **body: Any) -> Any:
        """Return the open answer to a request for a stream of events."""
        data = json.dumps({**body, "stream": True}).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        return urllib.request.urlopen(request, timeout=100)

    def metrics(self) -> str:
        """Return vLLM's own counters, as Prometheus reads them."""
        with urllib.request.urlopen(self.url + "/metrics", timeout=30) as answer:
            return answer.read().decode()

    def finished(self) -> Counter[str]:
        """Return how many requests the engine finished, by vLLM's reason."""
        return +Counter({reason: int(float(count)) for reason, count in _COUNTER.findall(self.metrics())})

    def total(self, name: str) -> int:
        """Return one of vLLM's numbers."""
        found = re.search(rf"^vllm:{name}\{{.*\}} (\S+)$", self.metrics(), re.MULTILINE)
        assert found is not None, name
        return int(float(found[1]))

    def statuses(self) -> dict[str, int]:
        """Return how many requests the HTTP server answered with which class of status."""
        found: Counter[str] = Counter()
        for status, count in _HTTP.findall(self.metrics()):
            found[status] += int(float(count))
        return dict(found)

    def idle(self) -> None:
        """Wait until the engine has no request, and its counters stay as they are."""
        before = ""
        for _ in range(100):
            now = "".join(line for line in self.metrics().splitlines() if line.startswith("vllm:request"))
            if now == before and len(_IDLE.findall(self.metrics())) == 2:
                return
            before = now
            time.sleep(0.3)
        raise AssertionError("the engine does not become idle")

    def stop(self) -> int:
        """Send SIGTERM, and return how the process ended."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def texts(stream: Any) -> Iterator[str]:
    """Yield the texts of a stream of completions, as they come."""
    for line in stream:
        if line.startswith(b"data: {"):
            choices = json.loads(line[6:])["choices"]
            if choices:
                yield choices[0]["text"]


@contextmanager
def serving(
    folder: Path, model: str, *options: str, launcher: Sequence[str] = RECORDED, **env: str
) -> Iterator[Server]:
    """Serve ``model`` in a process group of its own; ready when its engine answers."""
    (port,) = free_ports(1)
    command = [
        *launcher, sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--port", str(port),
        *OPTIONS, *options,
    ]  # fmt: skip
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=processes.environ(**env), stdout=log, stderr=log, start_new_session=True
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", process, folder)
            yield Server(f"http://127.0.0.1:{port}", process)
        finally:
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # its engine may outlive it
    process.wait(30)


def _wait_for(address: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    for _ in range(4000):  # on a machine with much else to do an import of vLLM takes minutes
        assert process.poll() is None, (folder / "server.log").read_text()[-5000:]
        try:
            with urllib.request.urlopen(address, timeout=10):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError((folder / "server.log").read_text()[-5000:])
