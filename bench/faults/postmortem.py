"""Keeps docs/postmortem.md true: runs each of its commands, and writes or compares what the report says.

python -m bench.faults.postmortem            compare, exit 1 where the page says something else
python -m bench.faults.postmortem --write    write what the reports say today
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "postmortem.md"
BIN = Path(sys.executable).parent
_BLOCK = re.compile(
    r"(?P<before>\$ codeintel-obs run -- python (?P<script>examples/failures/\w+\.py)\n"
    r"\$ codeintel-obs report --last\n```\n\n```text\n)(?P<said>.*?)(?P<after>```\n)",
    re.DOTALL,
)
_CHANGES = (
    (re.compile(r"\d{4}-\d\d-\d\d/\S+?\.jsonl"), "FILE"),
    (re.compile(r"\d{8}T\d{6}\.\d{3}-[0-9a-f]{10}"), "RUN"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"), "TIME"),
    (re.compile(r"TIME · [\d.]+ \S+ ·"), "TIME · DURATION ·"),
    (re.compile(r"\s{2,}[\d.]+ (ns|µs|ms|s)$", re.MULTILINE), ""),
    (re.compile(r"\[[0-9a-f]{8}\]"), "[ID]"),
    (re.compile(r"\bpid([ =])\d+"), r"pid\1PID"),
    (re.compile(r"pid=PID.*…$", re.MULTILINE), "pid=PID …"),  # cut at the width of a line, wherever that is
    (re.compile(r"version=[\d.]+"), "version=VERSION"),
    (re.compile(r"stdout_len=\d+"), "stdout_len=LENGTH"),
    (re.compile(r"/tmp/tmp\w+"), "FOLDER"),
    (re.compile(r"/project/faiss/[\w/.]+:\d+"), "SOURCE"),
    (re.compile(r" --data-dir \S+"), ""),
    (re.compile(r"\S+/telemetry/runs/FILE"), "FILE"),
)


def examples() -> Iterator[tuple[str, str]]:
    """Yield each example of the page with what the page says that its report is."""
    for found in _BLOCK.finditer(PAGE.read_text()):
        yield found["script"], found["said"]


def said(script: str) -> str:
    """Run the example as the page tells to, and return its report without what differs from run to run."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CODEINTEL_", "OTEL_", "PYTHON"))}
    environ = {**kept, "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}", "COLUMNS": "120"}
    with tempfile.TemporaryDirectory() as data:
        command = ["codeintel-obs", "run", "--quiet", "--data-dir", data, "--", "python", script]
        subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, timeout=60, check=False)
        asked = ["codeintel-obs", "report", "--last", "--data-dir", data]
        text = subprocess.run(
            asked, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=True
        ).stdout
    for pattern, name in _CHANGES:
        text = pattern.sub(name, text)
    return text


def write() -> None:
    """Let the page say what the reports say."""
    page = _BLOCK.sub(lambda found: f"{found['before']}{said(found['script'])}{found['after']}", PAGE.read_text())
    PAGE.write_text(page)


def main() -> int:
    if "--write" in sys.argv[1:]:
        write()
        return 0
    wrong = 0
    for script, expected in examples():
        found = said(script)
        wrong += found != expected
        print("".join(difflib.unified_diff(expected.splitlines(True), found.splitlines(True), "page", script)), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
