"""The user's guide names every command, tool, route and section of the settings, and none that is not there."""

import asyncio
import json
import re
from pathlib import Path

from codeintel_rev.app.main import create_app
from codeintel_rev.cli.program import COMMANDS
from codeintel_rev.config.settings import Settings
from codeintel_rev.config.sources import SECTIONS
from codeintel_rev.mcp_server.server import create_server

GUIDE = (Path(__file__).parents[1] / "docs" / "codeintel_rev.md").read_text(encoding="utf-8")


def rows(head):
    """First cells of the table that begins so."""
    table = GUIDE.split(f"| {head} |", 1)[1].split("\n\n", 1)[0]
    return [line.split("|")[1].strip() for line in table.splitlines()[2:]]


def test_commands():
    assert {row.strip("`") for row in rows("command")} == set(COMMANDS)


def test_tools():
    tools = asyncio.run(create_server(None).list_tools())
    assert [row.strip("`") for row in rows("tool")] == [tool.name for tool in tools]


def test_routes(tmp_path):
    document = create_app(tmp_path, Settings.from_environment({"HOME": str(tmp_path)})).openapi()
    served = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    told = set()
    for methods, path in re.findall(r"`((?:GET|POST)(?:, (?:GET|POST))*) (/[^`]*)`", "\n".join(rows("route"))):
        told |= {(method, path) for method in methods.split(", ")}
    assert told == served


def test_sections_of_the_settings():
    assert [row.strip("`[]") for row in rows("section")] == list(SECTIONS)


def test_examples_of_configuration_are_json():
    examples = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    assert [next(iter(json.loads(example))) for example in examples] == ["mcpServers", "servers"]
