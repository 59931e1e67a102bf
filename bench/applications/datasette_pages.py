"""An ASGI application under uvicorn: Datasette serves a database of its own, and its pages are asked for."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import answers
import ports

PAGES = (
    "/",
    "/fruit.json",
    "/fruit/sold.json?_facet=kind&_size=7",
    "/fruit/sold.csv?_stream=1",
    "/fruit/sold?_sort_desc=price&_size=20",
    "/fruit/sold/17.json",
    "/fruit/sold/9999",
    "/fruit.json?" + urllib.parse.urlencode({"sql": "select kind, sum(price) from sold group by kind"}),
    "/fruit.json?" + urllib.parse.urlencode({"sql": "select no_such_column from sold"}),
    "/no-such-database",
    "/-/static/app.css",
    "/-/versions.json?nothing",
)
VARYING = (r'query_ms\\?": [0-9.]+', r"Queries took [0-9.]+ms")
HEADERS = ("content-type", "cache-control", "location", "link", "content-disposition", "access-control-allow-origin")


def main(folder: Path) -> None:
    database(folder / "fruit.db")
    port = ports.free()
    command = (sys.executable, "-m", "datasette", "serve", str(folder / "fruit.db"), "--cors", "-p", str(port))
    server = subprocess.Popen((*command, "--setting", "num_sql_threads", "1"), stderr=subprocess.DEVNULL)
    try:
        ports.wait_for(port, server)
        told = {page: asked(f"http://127.0.0.1:{port}{page}") for page in PAGES}
    finally:
        server.terminate()
    answers.keep(folder, pages=told, ended=server.wait())


def database(path: Path) -> None:
    rows = [(n, ("apple", "pear", "plum")[n % 3], (n * 37 % 101) / 4) for n in range(200)]
    with sqlite3.connect(path) as connection:
        connection.execute("create table sold (id integer primary key, kind text, price real)")
        connection.executemany("insert into sold values (?, ?, ?)", rows)


def asked(url: str):
    try:
        with urllib.request.urlopen(url) as answer:
            return told(answer)
    except urllib.error.HTTPError as error:
        return told(error)


def told(answer):
    text = json.dumps([{name: answer.headers.get_all(name) for name in HEADERS}, answer.read().decode()])
    for pattern in (*VARYING, re.escape(urllib.parse.urlsplit(answer.url).netloc)):
        text = re.sub(pattern, "VARYING", text)
    return answer.status, text


if __name__ == "__main__":
    main(Path(sys.argv[1]))
