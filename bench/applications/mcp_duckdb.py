"""fastmcp and DuckDB: the public `mcp-server-motherduck` over stdio on a database of its own, asked by the SDK's client."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import answers
import mcp_client

QUERIES = (
    "create table t as select range as n, range % 7 as k, 'row ' || range as word from range(5000)",
    "select k, count(*), sum(n), max(word) from t group by k order by k",
    "select * from t where n between 100 and 140 order by n",
    "select n, avg(n) over (order by n rows 3 preceding) as mean from t order by n limit 20",
    "select no_such_column from t",
    "selec 1",
    "insert into t values (5000, 0, 'one more')",
    "select count(*) from t",
    "select 1/0, null, 1.5::decimal(9,3), date '2026-11-30', [1,2], {'a': 1}, 'ü'",
)


def main(folder: Path) -> None:
    server = str(Path(sys.executable).parent / "mcp-server-motherduck")
    command = (server, "--db-path", str(folder / "t.duckdb"), "--read-write")
    tools = (
        ("list_databases", {}),
        ("list_tables", {}),
        ("list_columns", {"table": "t"}),
        ("list_columns", {"table": "u"}),
    )
    calls = [*(("execute_query", {"sql": query}) for query in QUERIES), *tools]
    answers.keep(folder, **asyncio.run(mcp_client.asked(command, calls)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
