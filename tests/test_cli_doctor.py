"""`doctor` sees each silent failure: every check is shown what it is there for, and what it must not cry wolf at."""

from __future__ import annotations

import json
import os
import sys

import pytest

from codeintel_obs import guard
from codeintel_obs.cli import checks_interpreter, checks_launch, checks_local, main
from codeintel_obs.cli.checks import Surroundings, examine
from codeintel_obs.settings import load


@pytest.fixture(autouse=True)
def _clean(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("CODEINTEL_OBS", "OTEL_"))]:
        monkeypatch.delenv(name)


def around(tmp_path, *command, **environ):
    environ = {"PATH": os.environ["PATH"], **environ}
    return Surroundings(environ, load(environ, str(tmp_path)), command)


def ids(check, surroundings):
    return [(finding.id, finding.level) for finding in check(surroundings)]


@pytest.mark.parametrize(
    ("check", "environ", "expected"),
    [
        (checks_local.bad_settings, {"CODEINTEL_OBS_FSYNC": "x"}, ("bad-setting", "error")),
        (checks_local.switched_off, {"CODEINTEL_OBS": "off"}, ("switched-off", "error")),
        (checks_launch.sdk_disabled, {"OTEL_SDK_DISABLED": "TRUE"}, ("otel-sdk-disabled", "warning")),
        (checks_launch.grpc_exporter, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, ("grpc-exporter-missing", "error")),
        (checks_launch.grpc_exporter, {"OTEL_TRACES_EXPORTER": "otlp_proto_grpc"}, ("grpc-exporter-missing", "error")),
        (checks_launch.config_file, {"OTEL_EXPERIMENTAL_CONFIG_FILE": "x"}, ("config-file-ignored", "warning")),
        (checks_launch.config_file, {"OTEL_CONFIG_FILE": "/no/such"}, ("config-file-missing", "error")),
        (checks_launch.distros, {"OTEL_PYTHON_DISTRO": "nobody"}, ("distro-missing", "error")),
        (checks_launch.global_provider, {"OTEL_PYTHON_CONFIGURATOR": "nobody"}, ("configurator-missing", "error")),
        (checks_launch.endpoint, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:4317"}, ("grpc-port", "warning")),
        (
            checks_launch.denied,
            {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*"},
            ("all-instrumentations-disabled", "error"),
        ),
        (
            checks_interpreter.gevent,
            {"OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH": "x"},
            ("gevent-late-patch", "error"),
        ),
    ],
)
def test_an_environment_that_silences_is_found_and_a_clean_one_is_not(check, environ, expected, tmp_path):
    """Each check finds its own failure, with evidence and mend, and is silent without it."""
    assert ids(check, around(tmp_path, **environ)) == [expected]
    assert list(check(around(tmp_path))) == []
    (finding,) = check(around(tmp_path, **environ))
    assert all(finding.as_dict().values())


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["python", "-I", "app.py"], True),
        (["python3.11", "-uE", "app.py"], True),
        (["python", "-S"], True),
        (["python", "app.py", "-I"], False),
        (["python", "-c", "pass", "-S"], False),
        (["python", "-X", "E", "app.py"], False),
        (["gunicorn-like", "-E"], False),
    ],
)
def test_python_flags_that_silence_a_launcher_are_found(words, found, tmp_path):
    """Only the interpreter's own flags count: not those behind the script, -c, or an option's value."""
    assert bool(ids(checks_interpreter.flags_of_command, around(tmp_path, *words))) is found


def test_a_scripts_first_line_is_read_for_its_flags(tmp_path):
    """`#!python -E` silences a launcher as much as the command line does."""
    script = tmp_path / "tool"
    script.write_text(f"#!{sys.executable} -E\n")
    script.chmod(0o755)
    (finding,) = checks_interpreter.flags_of_command(around(tmp_path, str(script)))
    assert (finding.id, str(script) in finding.evidence) == ("python-flag", True)


def test_a_command_of_another_python_is_found(tmp_path):
    """A Python that does not have this package records nothing, in silence; our own is no finding."""
    other = tmp_path / "bin" / "python3"
    other.parent.mkdir()
    other.write_text("")
    other.chmod(0o755)
    assert ids(checks_interpreter.other_python, around(tmp_path, str(other))) == [("other-python", "warning")]
    assert ids(checks_interpreter.other_python, around(tmp_path, sys.executable)) == []
    assert ids(checks_interpreter.other_python, around(tmp_path, "no-such-command")) == [("command-not-found", "error")]


def test_a_sitecustomize_of_the_users_own_is_named(tmp_path):
    """The stock launcher hides it; the finding says which file."""
    (tmp_path / "sitecustomize.py").write_text("")
    (finding,) = checks_interpreter.own_sitecustomize(around(tmp_path, PYTHONPATH=str(tmp_path)))
    assert (finding.level, finding.evidence) == ("note", str(tmp_path / "sitecustomize.py"))


def test_a_data_directory_that_is_a_file_is_an_error(tmp_path):
    """Nothing can be written below a file; root's access rights do not hide that."""
    (tmp_path / "taken").write_text("")
    surroundings = around(tmp_path, CODEINTEL_OBS_DATA_DIR=str(tmp_path / "taken" / "data"))
    assert ids(checks_local.data_dir, surroundings) == [("data-dir-not-writable", "error")]
    assert ids(checks_local.data_dir, around(tmp_path)) == []


def install(folder, name, entry_points, requires=""):
    """Put a real distribution's metadata on the path."""
    info = folder / f"{name}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{requires}")
    (info / "entry_points.txt").write_text(entry_points)


def test_a_plugin_that_does_not_load_is_an_error(tmp_path, monkeypatch):
    """A stranger's broken module is named with its exception; the others are still examined."""
    install(tmp_path, "broken-sink", "[codeintel_obs]\nbroken = broken_sink_module\n")
    (tmp_path / "broken_sink_module.py").write_text("raise ValueError('boom')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(guard, "strict", False)
    found = {finding.evidence: finding for finding in checks_local.plugins(around(tmp_path))}
    finding = found["broken of broken-sink"]
    assert (finding.id, finding.level) == ("plugin-does-not-load", "error")
    assert "ValueError: boom" in finding.what


def test_an_instruments_extra_that_switches_a_distribution_off_is_found(tmp_path, monkeypatch):
    """The stock launcher's own check is applied: one missing library silences all instrumentors of the distribution."""
    install(
        tmp_path, "two-in-one", "[opentelemetry_instrumentor]\none = a:B\ntwo = a:C\n",
        "Provides-Extra: instruments\nRequires-Dist: no-such-library ; extra == 'instruments'\n",
    )  # fmt: skip
    monkeypatch.syspath_prepend(str(tmp_path))
    found = list(checks_launch.instruments_conflicts(around(tmp_path)))
    assert [(finding.id, finding.level) for finding in found] == [("instruments-conflict", "warning")]
    assert "one, two" in found[0].what


def test_another_distro_that_comes_first_is_named(tmp_path, monkeypatch):
    """Which distro the stock launcher takes is its first; ours is optional, so this is a note."""
    install(tmp_path, "a-distro", "[opentelemetry_distro]\nfirst = a_distro:Distro\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert ids(checks_launch.distros, around(tmp_path)) == [("other-distro-first", "note")]
    assert ids(checks_launch.distros, around(tmp_path, OTEL_PYTHON_DISTRO="codeintel_obs")) == []


def test_what_a_recorded_process_complained_of_is_told_once(tmp_path):
    """Inside a process a bad setting is one line on stderr; its manifest keeps it for here."""
    folder = tmp_path / ".codeintel" / "telemetry" / "processes" / "2026-11-22"
    folder.mkdir(parents=True)
    for name in ("h-1-1", "h-2-2"):
        (folder / f"{name}.json").write_text(json.dumps({"problems": ["environment: CODEINTEL_OBS_FSYNC: bad"]}))
    (folder / "h-3-3.json").write_text("{torn")
    found = list(checks_local.recent_problems(around(tmp_path)))
    assert [(finding.id, "CODEINTEL_OBS_FSYNC" in finding.evidence) for finding in found] == [
        ("bad-setting-in-process", True)
    ]


def test_errors_come_first_and_make_the_exit_code_1(tmp_path, monkeypatch, capsys):
    """`--json` prints what the text says; a finding that is no error leaves the exit code 0."""
    monkeypatch.setenv("CODEINTEL_OBS", "off")
    monkeypatch.setenv("OTEL_EXPERIMENTAL_CONFIG_FILE", "x")
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    levels = [finding["level"] for finding in found]
    assert levels == sorted(levels, key=("error", "warning", "note").index)
    assert {"switched-off", "config-file-ignored"} <= {finding["id"] for finding in found}
    assert examine(around(tmp_path))[:0] == []
