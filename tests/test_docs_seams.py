"""The page on seams does what it says: its files are run as they stand there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parent.parent / "docs" / "seams.md").read_text()
FILES = dict(re.findall(r"```\w+ (\S+\.\w+)\n(.*?)```", PAGE, re.DOTALL))


def command(folder, *words):
    ended = subprocess.run(
        [sys.executable, "-m", "codeintel_obs.cli", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    return ended.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("page")
    for name, text in FILES.items():
        (made / name).write_text(text)
    return made


@pytest.fixture(scope="module")
def report(folder):
    (said,) = re.findall(r"\$ codeintel-obs run -- python app.py\n(.*?)\$", PAGE, re.DOTALL)
    assert command(folder, "run", "--", sys.executable, "app.py") == said
    return json.loads(command(folder, "report", "--last", "--format", "json"))


def test_the_page_has_its_three_files():
    """A program, its settings and what starts it."""
    assert set(FILES) == {"shop.py", "codeintel_obs.toml", "app.py"}


def test_doctor_finds_nothing_to_say_of_the_seams(folder):
    """The declaration is sound: no finding of a seam, a plan or a setting."""
    found = json.loads(command(folder, "doctor", "--json", "--", sys.executable, "app.py"))["findings"]
    assert [each for each in found if "seam" in each["id"] or "plan" in each["id"] or "setting" in each["id"]] == []


def test_the_stages_are_steps(report):
    """What the page says that one should see: statuses, payloads, details."""
    steps = {(step["kind"], step["status"], step.get("detail")): step.get("payload") for step in report["steps"]}
    assert steps == {
        ("shop.answer", "completed", None): {"query_len": 16, "limit": 3, "hits": 2},
        ("shop.gather", "completed", None): {"channels": 2},
        ("shop.channel", "skipped", "no model is configured"): {"channel": "semantic"},
        ("shop.answer", "failed", "the query is empty"): {"query_len": 1, "hits": 0},
    }


def test_what_did_not_run_is_told(report):
    """The decision with its reason, and the stage that the plan expected in vain."""
    absent = {each["kind"]: (each["why"], each["detail"]) for each in report["did_not_run"]}
    assert absent["shop.channel"] == ("skipped", "no model is configured")
    assert absent["shop.rerank"][0] == "not_reached"
    assert set(absent) == {"shop.channel", "shop.rerank"}
