"""A small service whose recorded requests are the templates of `runs_many`: seven that did well and one that did not."""

from __future__ import annotations

import asyncio

import codeintel_obs

codeintel_obs.start()

import duckdb  # noqa: E402 - watched from their import on
import faiss  # noqa: E402
import fastapi  # noqa: E402
import httpx  # noqa: E402
import numpy as np  # noqa: E402

REQUESTS = 8
app = fastapi.FastAPI()
vectors = np.random.default_rng(1).random((64, 8), dtype=np.float32)
index = faiss.IndexFlatL2(8)
index.add(vectors)
con = duckdb.connect()
con.execute("CREATE TABLE chunks AS SELECT range AS id, 'text ' || range AS text FROM range(64)")


@app.get("/search")
def search(q: int, table: str = "chunks") -> list[tuple[int, str]]:
    """Find the nearest vectors, and their texts."""
    _, ids = index.search(vectors[q : q + 1], 5)
    return con.execute(f"SELECT id, text FROM {table} WHERE id IN (SELECT unnest(?))", [ids[0].tolist()]).fetchall()


async def main() -> None:
    """Ask once for each template; the last one fails in DuckDB."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        for number in range(REQUESTS):
            table = "nowhere" if number == REQUESTS - 1 else "chunks"
            asked = {"q": number, "table": table}
            answer = await client.get("/search", params=asked, headers={"x-session-id": "session-of-the-template"})
            assert answer.status_code == (500 if table == "nowhere" else 200)


if __name__ == "__main__":
    asyncio.run(main())
