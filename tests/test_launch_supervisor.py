"""The supervising parent: its options, what it starts, what it passes on, and the one file that it writes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys

import pytest
from processes import OBS, environ, records, run

from codeintel_obs.cli.run import _judged, _plain

LINES = [
    [],
    ["--quiet", "--exec"],
    ["--run-id", "r", "--config=c.toml", "--plugins", "a,b", "--data-dir", "d"],
    ["--disable", "git", "--disable=duckdb", "--run-id="],
    ["--data-dir", "a=b", "--run-id=-rf"],
]


@pytest.mark.parametrize("words", LINES)
def test_plain_options_are_read_as_argparse_reads_them(words):
    """The short way and the long one give the same."""
    assert vars(_plain(words)).items() <= vars(_judged(words, whole=False, command=["true"])).items()
    assert vars(_plain(words)) == {
        name: value
        for name, value in vars(_judged(words, whole=False, command=["x"])).items()
        if value not in (None, False)
    }


@pytest.mark.parametrize(
    "word", ["-h", "--help", "--nonsense", "--quiet=1", "--run-id", "python", "-q", "--data", "--"]
)
def test_anything_else_is_argparses_to_judge(word):
    """Help, what is wrong and what is unusual never pass the short way."""
    assert _plain([word]) is None
    assert _plain(["--run-id", word]) is None or not word.startswith("-")


def test_its_file_names_its_manifest_and_is_closed_from_the_start(tmp_path):
    """The supervisor is a process as any other: who it is and which settings it goes by is on record, with its hash."""
    assert run(tmp_path, OBS, "run", "--run-id", "r", "--", "true", OTEL_SERVICE_NAME="shop").returncode == 0
    begin = records(tmp_path)[0]["payload"]
    path = tmp_path / ".codeintel" / "telemetry" / "processes" / begin["manifest"]
    content = json.loads(path.read_bytes())
    assert begin["manifest_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (content["program"], content["service"], begin["service"]) == ("codeintel-obs run", "shop", "shop")
    assert (content["run_id"], content["pid"], content["supervises"]) == ("r", begin["pid"], begin["supervises"])
    assert content["settings"]["fsync"] == {"value": "group", "source": "default"}
    file = next((tmp_path / ".codeintel" / "telemetry" / "runs").rglob("*.jsonl"))
    assert file.stat().st_mode & 0o777 == 0o440


def test_a_joined_run_has_both_manifests(tmp_path):
    """The launched process's file names its own, the supervisor's its own."""
    run(tmp_path, OBS, "run", "--", sys.executable, "-c", "import codeintel_obs\nwith codeintel_obs.step('a.b'): pass")
    begins = {each["event"]: each["payload"] for each in records(tmp_path) if "payload" in each}
    assert begins["run.begin"]["manifest"] != begins["writer.begin"]["manifest"]
    assert begins["writer.begin"]["supervises"] == begins["run.begin"]["pid"]
    told = json.loads(run(tmp_path, OBS, "report", "--last", "--format", "json").stdout)
    assert (told["outcome"], told["integrity"]["complete"]) == ("completed", True)


def test_an_id_of_any_bytes_and_length_is_kept_readable(tmp_path):
    """A raw id that is no text, or too long for a record, is escaped and cut by the writer's own rules."""
    for raw in (b"\xff\xfe", b"x" * 100_000):
        subprocess.run([OBS, "run", b"--run-id=" + raw, "--", "true"], cwd=tmp_path, env=environ(), check=True)
    payloads = [each["payload"] for each in records(tmp_path) if each["event"] == "run.begin"]
    said = sorted((each["raw_run_id"] for each in payloads), key=len)
    assert said[0] == "\\udcff\\udcfe"
    assert "[cut " in said[1]
    assert len(said[1]) <= 8192


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGTERM"])
def test_an_ignored_signal_stays_ignored(tmp_path, name):
    """Under nohup the command is under nohup: what was ignored before us is ignored by it."""
    code = f"import signal; print(signal.getsignal(signal.{name}).name)"
    words = [
        sys.executable,
        "-c",
        f"import os, signal, sys; signal.signal(signal.{name}, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])",
    ]
    assert run(tmp_path, *words, OBS, "run", "--", sys.executable, "-c", code).stdout == "SIG_IGN\n"


def test_a_commands_signals_are_as_a_shell_leaves_them(tmp_path):
    """What Python ignores for itself is not ignored by the command."""
    for launcher in ([], [OBS, "run", "--"]):
        words = [*launcher, "sh", "-c", "grep SigIgn /proc/self/status"]
        seen = subprocess.run(words, cwd=tmp_path, env=environ(), capture_output=True, text=True, check=True).stdout
        assert not int(seen.split()[1], 16) & 1 << (signal.SIGPIPE - 1) | int(seen.split()[1], 16) & 1 << (
            signal.SIGXFSZ - 1
        )


@pytest.mark.parametrize("options", [[], ["--exec"]])
def test_a_script_without_a_first_line_is_not_started(tmp_path, options):
    """The system's refusal is one line with a mend, and exit code 2."""
    script = tmp_path / "script"
    script.write_text("echo ran\n")
    script.chmod(0o755)
    ended = run(tmp_path, OBS, "run", *options, "--", "./script")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("codeintel-obs: ./script: cannot be started: ")
    assert "#!/bin/sh" in ended.stderr


def test_a_command_is_found_as_a_shell_finds_it(tmp_path):
    """The first file on PATH that may be executed; folders and plain files of the name are passed over."""
    (tmp_path / "a" / "tool").mkdir(parents=True)
    for name, mode in (("b", 0o644), ("c", 0o755)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tool").write_text(f"#!/bin/sh\necho {name}\n")
        (tmp_path / name / "tool").chmod(mode)
    path = os.pathsep.join(str(tmp_path / name) for name in "abc")
    if os.geteuid() == 0:
        assert os.access(tmp_path / "c" / "tool", os.X_OK)
    assert run(tmp_path, OBS, "run", "--", "tool", PATH=path).stdout == "c\n"


def test_zero_switches_off_in_the_supervisor_too(tmp_path):
    """Each word that means off means it everywhere."""
    assert run(tmp_path, OBS, "run", "--", "echo", "ran", CODEINTEL_OBS="0").stdout == "ran\n"
    assert not (tmp_path / ".codeintel").exists()
