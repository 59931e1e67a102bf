"""`config` tells every setting with its source, refuses bad ones, and installs the opt-in start-up file."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from codeintel_obs.cli import main
from codeintel_obs.errors import CodeIntelObsError
from codeintel_obs.launch import pth
from codeintel_obs.settings import TABLE


@pytest.fixture(autouse=True)
def _clean(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("CODEINTEL_OBS")]:
        monkeypatch.delenv(name)


def test_every_setting_has_its_value_source_and_meaning(monkeypatch, tmp_path, capsys):
    """The highest level wins and is named: environment over file over default."""
    (tmp_path / "codeintel_obs.toml").write_text('fsync = "none"\ncontent = "none"\n')
    monkeypatch.setenv("CODEINTEL_OBS_CONTENT", "all")
    assert main(["config", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["settings"]}
    assert list(rows) == [each.name for each in TABLE]
    assert (rows["content"]["value"], rows["content"]["source"]) == ("all", "environment")
    assert (rows["fsync"]["value"], os.path.basename(rows["fsync"]["source"])) == ("none", "codeintel_obs.toml")
    assert (rows["max_days"]["source"], rows["max_days"]["meaning"]) == ("default", "most days that a ledger is kept")


def test_a_bad_setting_exits_2_and_says_where_and_how_to_mend_it(monkeypatch, capsys):
    """Key, value, what would be right."""
    monkeypatch.setenv("CODEINTEL_OBS_FSYNC", "sometimes")
    assert main(["config"]) == 2
    told = capsys.readouterr()
    assert "CODEINTEL_OBS_FSYNC" in told.err
    assert "none, group, step" in told.err
    assert "fsync" in told.out


def test_a_named_file_is_read_instead(tmp_path, capsys):
    """`--config` that names no file is a bad setting, not a silent default."""
    assert main(["config", "--config", str(tmp_path / "none.toml")]) == 2
    assert "none.toml" in capsys.readouterr().err


def test_the_start_up_file_starts_recording_only_where_it_is_asked_to(tmp_path):
    """A real interpreter runs the line: with the variable it reaches `start`, else nothing is imported."""
    target = pth.install(str(tmp_path))
    (tmp_path / "codeintel_obs.py").write_text("def start(): print('started')\n")
    code = f"import site, sys; site.addsitedir({str(tmp_path)!r}); print('codeintel_obs' in sys.modules)"
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def run(**more):
        words = [sys.executable, "-S", "-c", code]
        return subprocess.run(words, env={**clean, **more}, capture_output=True, text=True, check=False, timeout=60)

    assert (run().stdout, run().stderr) == ("False\n", "")
    assert run(CODEINTEL_OBS="1").stdout == "started\nTrue\n"
    (tmp_path / "codeintel_obs.py").unlink()
    assert (run(CODEINTEL_OBS="1").stdout, run(CODEINTEL_OBS="1").stderr) == ("False\n", "")
    assert target.name.endswith(".pth")


def test_the_start_up_file_is_removed_once(tmp_path):
    """Removing says what was removed, and that there was nothing."""
    written = pth.install(str(tmp_path))
    assert pth.remove(str(tmp_path)) == written
    assert pth.remove(str(tmp_path)) is None


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    """An own error: what, where, how to go on."""
    with pytest.raises(CodeIntelObsError, match="cannot be written"):
        pth.install(str(tmp_path / "nowhere"))
