"""Small committed repositories for the tests of codeintel_rev."""

import git

from codeintel_rev.config.settings import EmbeddingSettings, SearchSettings, Settings

PATIENT = SearchSettings(deadline=100.0)  # for tests that are not about time, on machines that are busy


def commit(root, files, when=None):
    """Writes and commits; `when` is a date for both author and committer."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    with git.Repo.init(root) as repo:
        repo.git.add("-A")
        dates = {} if when is None else {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        with repo.git.custom_environment(**dates):
            repo.git(c=["user.name=t", "user.email=t@example.invalid"]).commit("-qm", "change")
        return repo.head.commit.hexsha


def remote(tmp_path, url, *, search=PATIENT, rerank=None, **embedding):
    """Settings whose vectors come from the server at `url`."""
    own = EmbeddingSettings(
        **({"kind": "vllm", "url": url, "model": "hashed-words", "query_timeout": 50.0} | embedding)
    )
    more = {} if rerank is None else {"rerank": rerank}
    return Settings(cache_dir=tmp_path, embedding=own, search=search, **more)
