"""HTTP clients under applications: HTTPie (requests), Ollama's client (httpx), llm (openai, httpx2), fsspec (aiohttp)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import answers
import inference

MODELS = """\
- model_id: tiny
  model_name: tiny
  api_base: {url}/v1
"""
HTTPIE = (
    ("--print=hb", "GET", "/page"),
    ("--print=hb", "--check-status", "GET", "/missing"),
    ("--print=b", "POST", "/v1/embeddings", "model=tiny", "input=a text"),
    ("--print=b", "--stream", "POST", "/v1/chat/completions", "model=tiny", "stream:=true"),
    ("--print=b", "--timeout=1", "POST", "/v1/completions", "model=tiny", "prompt=fail"),
)
LLM = (("tiny", "say it"), ("tiny", "say it", "--no-stream"), ("tiny", "fail"), ("there-is-none", "say it"))


def main(folder: Path) -> None:
    server, url = inference.started()
    try:
        told = {
            "httpie": httpie(folder, url),
            "llm": llm(folder, url),
            "ollama": ollama_client(url),
            "fsspec": fsspec_files(url),
        }
    finally:
        server.terminate()
        server.wait()
    answers.keep(folder, **{name: str(value).replace(url, "URL") for name, value in told.items()})


def httpie(folder: Path, url: str):
    (folder / "config.json").write_text('{"disable_update_warnings": true}')  # else it asks its maker's server for news
    http, environment = Path(sys.executable).parent / "http", {"HTTPIE_CONFIG_DIR": str(folder)}
    asked = [[f"{url}{word}" if word.startswith("/") else word for word in words] for words in HTTPIE]
    return [ran(http, "--ignore-stdin", *words, **environment) for words in asked]


def llm(folder: Path, url: str):
    (folder / "llm").mkdir()
    (folder / "llm" / "extra-openai-models.yaml").write_text(MODELS.format(url=url))
    environment = {"LLM_USER_PATH": str(folder / "llm"), "OPENAI_API_KEY": "none"}
    program = Path(sys.executable).parent / "llm"
    return [ran(program, "-m", model, *words, **environment) for model, *words in LLM]


def ran(program: Path, *words: str, **environment: str):
    done = subprocess.run(
        (str(program), *words), env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def ollama_client(url: str):
    import ollama

    client, refused = ollama.Client(url), []
    vectors = client.embed("tiny", ["one text", "another"]).embeddings
    for text in ("fail", "fail again"):
        try:
            client.embed("tiny", text)
        except ollama.ResponseError as error:
            refused.append((error.status_code, error.error))
    return vectors, refused


def fsspec_files(url: str):
    import fsspec

    files, refused = fsspec.filesystem("http"), []
    read = files.cat([f"{url}/a", f"{url}/b", f"{url}/missing"], on_error="return")
    for path in ("/missing", "/c"):
        try:
            refused.append(files.cat_file(f"{url}{path}"))
        except FileNotFoundError as error:
            refused.append(str(error))
    return read, refused, files.info(f"{url}/d")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
