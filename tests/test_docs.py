"""The pages that mirror code are current, and the README stays short and true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_generated_pages_are_current():
    """`docs/steps.md` and `docs/settings.md` say what the tables say today."""
    ended = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_readme_is_short_and_its_links_lead_somewhere():
    """At most 120 lines, and every relative link names something in the repository."""
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 120
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", text)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_command_of_the_readme_exists():
    """What the README tells to run is a subcommand of ours, a target of the Makefile, or a package's name."""
    text = (ROOT / "README.md").read_text()
    for name in set(re.findall(r"make ([a-z]+)\b", text)):
        assert re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), re.MULTILINE), name
    for name in set(re.findall(r"codeintel-obs ([a-z]+)\b(?! and)", text)):
        ended = subprocess.run(
            [sys.executable, "-m", "codeintel_obs.cli", name, "--help"], capture_output=True, check=False
        )
        assert ended.returncode == 0, name


def test_every_line_of_the_transparency_page_names_its_test():
    """Each thing that an application can notice is stated by a test, which exists under the name given there."""
    page = (ROOT / "docs" / "transparency.md").read_text().partition("## What cannot be kept")[2].partition("\n## ")[0]
    rows = [line for line in page.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 15
    for row in [*rows, *re.findall(r"\(`tests/.*`\)", page)]:
        named = re.findall(r"`(tests/\w+\.py)::(test_\w+)`", row)
        assert named, f"no test is named in: {row}"
        for path, name in named:
            assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), (path, name)
