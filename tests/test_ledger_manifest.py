"""The process manifest: what it holds, and how it tells that its process lives."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from codeintel_obs.ledger import manifest
from codeintel_obs.ledger.manifest import is_alive, locate, write_manifest

WRITE = (
    "import sys; from codeintel_obs.ledger.manifest import write_manifest; m = write_manifest(sys.argv[1], {'a': 1})\n"
)


def process(data_dir, code):
    """Start a process that writes a manifest, prints its path and then does ``code``."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    words = [sys.executable, "-c", f"{WRITE}print(m.path, flush=True)\n{code}", str(data_dir)]
    made = subprocess.Popen(words, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return made, made.stdout.readline().strip()


def end(made):
    made.kill()
    made.communicate()


def test_a_manifest_is_the_content_and_its_process(tmp_path):
    """The file holds what was given and which process it is, and is named by the hash of its very bytes."""
    made = write_manifest(str(tmp_path), {"service": "s", "settings": {"x": [1]}})
    content = json.loads(Path(made.path).read_bytes())
    assert (content["service"], content["settings"], content["process"]["pid"]) == ("s", {"x": [1]}, os.getpid())
    assert made.sha256 == hashlib.sha256(Path(made.path).read_bytes()).hexdigest()
    assert made.path == locate(str(tmp_path), made.name)
    assert stat.S_IMODE(os.stat(made.path).st_mode) & 0o137 == 0


def test_a_manifest_is_capped(tmp_path):
    """A manifest takes at most 256 KiB and says what was cut."""
    made = write_manifest(str(tmp_path), {"small": 1, "large": ["x" * 100] * 10_000})
    data = Path(made.path).read_bytes()
    assert len(data) <= manifest.MANIFEST_CAP
    assert (json.loads(data)["small"], "[cut " in json.loads(data)["large"][-1]) == (1, True)


def test_alive_until_killed(tmp_path):
    """A process is alive while it runs and not any more when it was killed."""
    made, path = process(tmp_path, "sys.stdin.read()")
    alive = is_alive(path)
    end(made)
    assert (alive, is_alive(path)) == (True, False)


def test_alive_although_it_closed_everything(tmp_path):
    """A process that closed every descriptor, our lock's too, is still alive; afterwards it is not."""
    code = "import os\nos.closerange(3, 65536)\nprint('closed', flush=True)\nsys.stdin.read()"
    made, path = process(tmp_path, code)
    made.stdout.readline()
    alive = is_alive(path)
    end(made)
    assert (alive, is_alive(path)) == (True, False)


def test_a_child_does_not_keep_its_parent_alive(tmp_path):
    """A forked child that outlives its parent says nothing of it: the parent is gone."""
    code = "import os\nif os.fork(): os._exit(0)\nprint(os.getpid(), flush=True)\nsys.stdin.read()"
    made, path = process(tmp_path, code)
    child = int(made.stdout.readline())
    made.wait()
    assert is_alive(path) is False
    os.kill(child, signal.SIGKILL)
    made.communicate()


def test_another_host_is_unknown(tmp_path):
    """Of a process of another host, and without a readable manifest, liveness is unknown."""
    made = write_manifest(str(tmp_path), {})
    content = json.loads(Path(made.path).read_bytes())
    other = tmp_path / "other.json"
    for change in ({"boot_id": "b", "machine_id": "m"}, {"boot_id": ""}):
        other.write_text(json.dumps({"process": {**content["process"], **change}}))
        assert is_alive(str(other)) is None
    other.write_text("{")
    assert (is_alive(str(other)), is_alive(str(tmp_path / "none.json"))) == (None, None)


def test_before_this_boot_is_gone(tmp_path):
    """A process of this machine from before it booted again is gone: its ledger survived, it did not."""
    made = write_manifest(str(tmp_path), {})
    content = json.loads(Path(made.path).read_bytes())
    if not content["process"].get("machine_id"):
        pytest.skip("this machine has no /etc/machine-id to recognise itself by")
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"process": {**content["process"], "boot_id": "an earlier boot"}}))
    assert is_alive(str(other)) is False


def test_a_recycled_pid_is_not_the_process(tmp_path):
    """The same pid with another start time is another process."""
    made = write_manifest(str(tmp_path), {})
    content = json.loads(Path(made.path).read_bytes())
    content["process"]["start_ticks"] -= 1
    other = tmp_path / "other.json"
    other.write_text(json.dumps(content))
    assert is_alive(str(other)) is False


@pytest.mark.parametrize("name", ["../../etc/passwd", "x", "a/b/c", "/etc/passwd", ".hidden/x", "2026-11-22/.tmp", ""])
def test_a_manifests_name_leads_nowhere_else(tmp_path, name):
    """A name read from a ledger is never a way out of the processes' folder."""
    assert locate(str(tmp_path), name) is None
