"""Small repositories, and an embedder that counts: a real server, over a real socket, behind a real setting."""

from contextlib import contextmanager

import git
from openai_server import serving

from codeintel_rev.config.settings import EmbeddingSettings, Settings

AUTHOR = ("user.name=t", "user.email=t@example.invalid")


def commit(root, files):
    """Write (None deletes) and commit everything; returns the hash."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with git.Repo.init(root) as repo:
        repo.git.add("-A")
        repo.git(c=AUTHOR).commit("-qm", "change", "--allow-empty")
        return repo.head.commit.hexsha


def functions(count, word="item"):
    """A Python file of so many chunks."""
    return "\n\n".join(
        f"def {word}_{n}(x):\n    # the {word} of number {n}\n    return x + {n}\n" for n in range(count)
    )


class Counting:
    """`texts()` are those embedded since it was last asked, without the question for the dimension."""

    def __init__(self, url, behaviour):
        self.url = url
        self.behaviour = behaviour

    def settings(self, cache, **more):
        return Settings(cache, embedding=EmbeddingSettings("vllm", url=self.url, attempts=1, **more))

    def texts(self):
        asked, self.behaviour.requests = self.behaviour.requests, []
        found = [text for path, body, _ in asked if path == "/v1/embeddings" for text in body["input"]]
        return [text for text in found if text != "dimension"]


@contextmanager
def counting():
    with serving() as (url, behaviour):
        yield Counting(url, behaviour)
