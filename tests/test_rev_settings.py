"""codeintel_rev, settings: the environment over the repository's file over the defaults, and what is refused."""

import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from codeintel_rev.config.settings import EmbeddingSettings, Settings
from codeintel_rev.config.sources import FILE, SECTIONS
from codeintel_rev.errors import UsageError

HOME = {"XDG_CACHE_HOME": "/var/cache"}


def write(root, text):
    (root / FILE).write_text(text)
    return root


def test_without_anything_the_defaults_hold():
    made = Settings.load(None, HOME)
    assert (str(made.cache_dir), made.model_dir, made.embedding) == (
        "/var/cache/codeintel-rev",
        None,
        EmbeddingSettings(),
    )
    assert made.search.weights == {}


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path):
    root = write(
        tmp_path, '[embedding]\nkind = "vllm"\nurl = "http://localhost:8000"\ntimeout = 3\n[search]\nrest = 1.5\n'
    )
    made = Settings.load(root, HOME | {"CODEINTEL_REV_EMBEDDING_TIMEOUT": "7", "CODEINTEL_REV_EMBEDDING_URL": ""})
    own = made.embedding
    assert (own.kind, own.url, own.timeout, own.batch_size) == ("vllm", "http://localhost:8000", 7.0, 64)
    assert made.search.rest == 1.5


def test_the_file_is_found_from_any_folder_and_not_beyond_the_repository(tmp_path):
    write(tmp_path, "[search]\nrest = 1\n")
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert Settings.load(inner, HOME).search.rest == 1.0
    (tmp_path / "a" / ".git").mkdir()
    assert Settings.load(inner, HOME).search.rest == 5.0


def test_weights_are_a_table_or_a_list(tmp_path):
    root = write(tmp_path, "[search.weights]\nbm25 = 2\n")
    assert Settings.load(root, HOME).search.weights == {"bm25": 2.0}
    env = HOME | {"CODEINTEL_REV_SEARCH_WEIGHTS": "bm25=0.5, exact=3"}
    assert Settings.load(root, env).search.weights == {"bm25": 0.5, "exact": 3.0}


def test_patterns_of_paths_are_a_list_or_separated_by_commas(tmp_path):
    root = write(tmp_path, '[embedding]\nwords_only = ["*.po", "vendor/"]\n')
    assert Settings.load(root, HOME).embedding.words_only == ("*.po", "vendor/")
    env = HOME | {"CODEINTEL_REV_EMBEDDING_WORDS_ONLY": "*.csv, data/"}
    assert Settings.load(root, env).embedding.words_only == ("*.csv", "data/")
    assert Settings.load(write(tmp_path, "[embedding]\nwords_only = []\n"), HOME).embedding.words_only == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[embeding]\nkind = 'local'\n", r"no section \[embeding\]"),
        ("[embedding]\nkind = 'remote'\n", "kind is 'remote'"),
        ("[embedding]\nbatch = 3\n", "has no key 'batch'"),
        ("[embedding]\nbatch_size = 'many'\n", "batch_size is 'many'"),
        ("[embedding]\nbatch_size = 2.5\n", "batch_size is 2.5"),
        ("[embedding]\ntimeout = -1\n", "timeout is -1"),
        ("[embedding]\ntimeout = inf\n", "timeout is inf"),
        ("[embedding]\nmodel = 3\n", "model is 3"),
        ("[embedding]\nwords_only = 3\n", "words_only is 3"),
        ("[embedding]\nwords_only = [3]\n", r"words_only is \[3\]"),
        ("[embedding]\napi_key = 'sesame'\n", "api_key is a secret"),
        ("[search]\nweights = 'bm25'\n", "weights is 'bm25'"),
        ("search = 3\n", r"no section \[search\]"),
        ("= 3", "cannot be read"),
    ],
)
def test_what_is_wrong_in_the_file_is_named_with_its_mend(tmp_path, text, reason):
    with pytest.raises(UsageError, match=reason) as caught:
        Settings.load(write(tmp_path, text), HOME)
    assert FILE in caught.value.what
    assert caught.value.mend.startswith("Mend: ")


def test_a_wrong_variable_is_named():
    with pytest.raises(UsageError, match="CODEINTEL_REV_SEARCH_DEADLINE is 'soon'"):
        Settings.load(None, {"CODEINTEL_REV_SEARCH_DEADLINE": "soon"})


def test_a_repository_cannot_send_its_readers_code_elsewhere(tmp_path):
    """A host that its file names must be this machine, or one that the user has trusted."""
    root = write(tmp_path, '[embedding]\nkind = "vllm"\nurl = "https://collect.example/v1"\n')
    with pytest.raises(UsageError, match=r"the host collect\.example, which this machine's user has not trusted"):
        Settings.load(root, HOME)
    trusted = HOME | {"CODEINTEL_REV_TRUSTED_HOSTS": "other.example, collect.example"}
    assert Settings.load(root, trusted).embedding.url == "https://collect.example/v1"
    own = HOME | {"CODEINTEL_REV_EMBEDDING_URL": "https://mine.example"}
    assert Settings.load(root, own).embedding.url == "https://mine.example"
    for local in ("http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"):
        assert Settings.load(write(tmp_path, f'[vectors]\nurl = "{local}"\n'), HOME).vectors.url == local


def test_secrets_are_not_shown():
    keys = {f"CODEINTEL_REV_{name.upper()}_API_KEY": "sesame" for name in ("embedding", "vectors", "rerank")}
    made = Settings.load(None, HOME | keys)
    assert made.embedding.api_key == made.vectors.api_key == made.rerank.api_key == "sesame"
    assert "sesame" not in repr(made)


def test_every_section_can_be_made_of_nothing():
    """Each setting has a default, and each section of the file is a part of the settings."""
    made = Settings.load(None, HOME)
    assert all(getattr(made, name) == kind() for name, kind in SECTIONS.items())


def test_the_page_names_every_setting_with_its_default():
    """docs/retrieval.md: one row per key, and none that does not exist."""
    page = (Path(__file__).parents[1] / "docs" / "retrieval.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)\.(\w+)` \| (.*?) \|", page, re.MULTILINE)
    told = {(section, key): default for section, key, default in rows}
    shown = {(name, item.name): _shown(item) for name, kind in SECTIONS.items() for item in fields(kind)}
    assert told == shown


def _shown(item):
    default = item.default_factory() if item.default is MISSING else item.default
    default = " ".join(default) if isinstance(default, tuple) else default
    return f"`{default}`" if default not in ("", {}) else "none"
