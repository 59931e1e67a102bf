"""How the faults of a process are made from outside: a small disk, little memory, a collector that is away."""

from __future__ import annotations

import socket
from threading import Timer

from . import machine
from .case import Started


def out_of_memory(started: Started) -> int:
    """Run in a group of processes that may use 400 MB."""
    with machine.memory_group(400_000_000) as group:
        return started.launch(program=("sh", "-c", f"echo $$ > {group} && exec python fault.py"))


def stuck(started: Started) -> int:
    """Read the report while the process is dead-locked, then kill it."""
    process = started.begin()
    machine.wait_for(lambda: machine.on_record(started.folder, b'"kind":"duckdb.submit"'))
    started.tell("while it is stuck")
    return machine.kill(process)


def full_ledger(started: Started) -> int:
    """Run with the ledger on a disk that has room for a few records."""
    with machine.disk(started.folder / ".codeintel", "size=256k"):
        code = started.launch()
        started.tell("from the full disk")
    return code


def read_only(started: Started) -> int:
    """Run with the ledger on a disk that takes nothing."""
    with machine.disk(started.folder / ".codeintel", "ro"):
        code = started.launch()
    started.say((started.folder / "output.txt").read_text())
    return code


def collector_comes_back(started: Started) -> int:
    """Let the collector be down for the first second."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    up = machine.collector(port)
    timer = Timer(1.5, up.__enter__)
    timer.start()
    try:
        return started.launch(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{port}", OTEL_BSP_SCHEDULE_DELAY="300")
    finally:
        timer.join()
        up.__exit__(None, None, None)


def twice(started: Started) -> int:
    """Run it twice under one id: the first fails, the second does not."""
    started.launch("--run-id", "nightly-42")
    (started.folder / "file").touch()
    return started.launch("--run-id", "nightly-42")
