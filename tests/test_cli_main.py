"""The command line as a whole: light to start, helpful when used wrongly, quiet when interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from codeintel_obs.cli import COMMANDS, main
from codeintel_obs.cli.run import parse

HEAVY = {"msgspec", "opentelemetry", "wrapt", "pluggy", "json", "importlib.metadata", "argparse"}


def python(code, *words, **more):
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=60, **more
    )


def test_parsing_run_imports_nothing_heavy():
    """The parent's CPU is part of the launch budget: neither dependencies nor the rest of this package are loaded."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from codeintel_obs.cli.run import parse; import codeintel_obs.cli\n"
        "options = parse(['--run-id', 'r', '--', 'python', '-c', 'pass'])\n"
        "assert options.command == ['python', '-c', 'pass']\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = set(python(code).stdout.split())
    assert "codeintel_obs.cli.run" in loaded
    assert loaded & HEAVY == set()
    assert {name for name in loaded if name.startswith("codeintel_obs")} == {
        "codeintel_obs",
        "codeintel_obs.cli",
        "codeintel_obs.cli.run",
        "codeintel_obs.launch",
        "codeintel_obs.launch.options",
    }


def test_run_keeps_every_word_of_the_command():
    """What follows `--` is the command's own, options and a second `--` included."""
    options = parse(
        ["--quiet", "--disable", "git", "--disable", "duckdb", "--exec", "--", "a", "--run-id", "x", "--", "b"]
    )
    assert options.command == ["a", "--run-id", "x", "--", "b"]
    assert (options.quiet, options.exec, options.disable, options.run_id) == (True, True, ["git", "duckdb"], None)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no command to run"),
        (["--"], "no command to run"),
        (["python", "app.py"], "codeintel-obs run -- python app.py"),
        (["--nonsense", "--", "true"], "--nonsense"),
    ],
)
def test_wrong_use_of_run_exits_2_and_says_how(words, told, capsys):
    """Wrong use is refused before anything is launched."""
    with pytest.raises(SystemExit) as exit_:
        main(["run", *words])
    assert exit_.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_with_examples(command, capsys):
    """`--help` of each command shows how it is used, and exits 0."""
    with pytest.raises(SystemExit) as exit_:
        main([command, "--help"])
    text = capsys.readouterr().out
    assert exit_.value.code == 0
    assert f"codeintel-obs {command}" in text.split("examples:")[1]


def test_the_usage_lists_every_command(capsys):
    """Without a command the usage is printed and the exit code is that of wrong use."""
    assert main([]) == 2
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)


def test_a_mistyped_command_names_the_one_that_was_meant(capsys):
    """A near miss is answered with what exists."""
    assert main(["reprot"]) == 2
    assert "`report`" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error():
    """A closed pipe ends a command without a traceback."""
    read, write = os.pipe()
    os.close(read)
    code = "import sys; from codeintel_obs.cli import main; sys.exit(main(['config']))"
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, text=True, check=False, timeout=60
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_interrupt_ends_with_130_and_without_a_traceback():
    """Ctrl-C is no crash of ours."""
    code = (
        "import os, signal, sys, codeintel_obs.cli as cli\n"
        "from codeintel_obs.cli import config\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins with it ignored\n"
        "config.main = lambda words: os.kill(os.getpid(), signal.SIGINT) or sys.stdin.read()\n"
        "sys.exit(cli.main(['config']))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told) == (128 + signal.SIGINT, "")
