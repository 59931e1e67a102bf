"""codeintel_rev, `eval`: what is asked, what is taken away before, and how the figures are made."""

import ast
import json
import subprocess
import sys
import tarfile

import pytest
from openai_server import serving

from codeintel_rev.cli.program import main
from codeintel_rev.errors import NotFoundError, UsageError
from codeintel_rev.evaluation.corpora import read_corpus
from codeintel_rev.evaluation.docstrings import Question, is_test, strip, unambiguous
from codeintel_rev.evaluation.measures import Interval, bootstrap, paired, reciprocal

SOURCE = '''"""A shop."""


class Cart:
    """Holds what is bought."""

    def add_item(self, item, count=1):
        """Put an item
        into the cart.

        More than once is fine.
        """
        for _ in range(count):
            self.items.append(item)
        return self

    def __len__(self):
        """How many items there are."""
        total = len(self.items)
        return total


def pay(amount, größe="ß"): "Charge the card for an amount."; return (
    amount,
    größe,
)


def short():
    """Says too little to be asked for."""
    return 1


def vague(one, two):
    """Does it."""
    both = one + two
    return both
'''


def test_docstrings_become_queries_and_leave_the_source():
    """The first paragraph in one line; the filters are CodeSearchNet's; what is left has the same code."""
    stripped = strip("shop.py", SOURCE)
    assert stripped.questions == (
        Question("shop.py", "Cart.add_item", "Put an item into the cart."),
        Question("shop.py", "pay", "Charge the card for an amount."),
    )
    left = ast.parse(stripped.text)
    nodes = [n for n in ast.walk(left) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef)]
    assert [ast.get_docstring(node) for node in nodes] == [None] * len(nodes)
    assert "for _ in range(count)" in stripped.text
    assert "Charge" not in stripped.text
    assert "# " not in stripped.text


def test_what_is_no_python_is_left_out():
    assert strip("a.py", "def broken(:\n") is None
    assert strip("a.py", "\0") is None


def test_a_question_with_two_answers_is_not_asked():
    """The same words for two functions, or two functions of one name in one file."""
    one, same = Question("a.py", "f", "open a file"), Question("b.py", "g", "open a file")
    twice, other = Question("c.py", "h", "close it now"), Question("c.py", "h", "close it later")
    alone = Question("d.py", "i", "read all lines")
    assert unambiguous([one, same, twice, other, alone]) == [alone]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("tests/a.py", True), ("a/test_b.py", True), ("b_test.py", True), ("conftest.py", True), ("a/contest.py", False)],
)
def test_tests_are_no_corpus(path, expected):
    assert is_test(path) is expected


def test_reciprocal_ranks_end_at_ten():
    assert [reciprocal(rank) for rank in (1, 2, 10, 11, None)] == [1.0, 0.5, 0.1, 0.0, 0.0]


def test_an_interval_holds_the_mean_and_is_the_same_every_time():
    """Of a fair coin it is as wide as theory has it (±0.031 at 1,000); of a constant it has no width."""
    coin = [float(number % 2) for number in range(1000)]
    made = bootstrap(coin)
    assert made == bootstrap(coin)
    assert (made.mean, made.low, made.high) == (0.5, pytest.approx(0.469, abs=0.006), pytest.approx(0.531, abs=0.006))
    assert bootstrap([0.25] * 50) == Interval(0.25, 0.25, 0.25)


def test_a_paired_difference_is_surer_than_two_intervals():
    """Each query a little better: certain, though both means are spread wide."""
    worse = [float(number % 2) for number in range(200)]
    better = [value + 0.01 for value in worse]
    gain = paired(better, worse)
    assert (gain.mean, gain.low > 0) == (pytest.approx(0.01), True)
    assert bootstrap(worse).high > bootstrap(better).low


@pytest.fixture
def shop(tmp_path):
    """The same sources as a folder and as a distribution."""
    folder = tmp_path / "shop-1.0"
    (folder / "tests").mkdir(parents=True)
    (folder / "shop.py").write_text(SOURCE)
    (folder / "tests" / "test_shop.py").write_text(SOURCE)
    (folder / "latin.py").write_bytes(b"# \xff\n")
    with tarfile.open(tmp_path / "shop-1.0.tar.gz", "w:gz") as archive:
        archive.add(folder, "shop-1.0")
    return tmp_path


def test_a_folder_and_a_distribution_are_the_same_corpus(shop):
    folder, archive = read_corpus(shop / "shop-1.0"), read_corpus(shop / "shop-1.0.tar.gz")
    assert (folder.name, folder.files, folder.questions) == (archive.name, archive.files, archive.questions)
    assert [question.path for question in folder.questions] == ["shop-1.0/shop.py"] * 2
    assert (folder.sha256, len(archive.sha256)) == ("", 64)


def test_what_is_no_corpus_is_refused(tmp_path):
    (tmp_path / "a.tar.gz").write_bytes(b"no archive")
    with pytest.raises(UsageError, match="is no source distribution"):
        read_corpus(tmp_path / "a.tar.gz")
    with pytest.raises(NotFoundError):
        read_corpus(tmp_path / "nothing")


def evaluated(monkeypatch, capsys, *arguments):
    with serving() as (url, behaviour):
        for name, value in (("KIND", "vllm"), ("URL", url), ("MODEL", "hashed-words"), ("QUERY_TIMEOUT", "60")):
            monkeypatch.setenv(f"CODEINTEL_REV_EMBEDDING_{name}", value)
        code = main(["eval", *map(str, arguments)])
        return code, capsys.readouterr().out, behaviour


def test_every_function_is_found_by_words_that_it_shares(shop, monkeypatch, capsys):
    """Over the real pipeline, from distribution to figures; a second run embeds only the queries."""
    code, out, _ = evaluated(monkeypatch, capsys, shop / "shop-1.0.tar.gz", "--work", shop / "work", "--json")
    made = json.loads(out)
    assert (code, made["queries"], made["candidates"], made["scope"]) == (0, 2, 2, "asked")
    assert made["channels"]["hybrid"]["mrr10"] > 0.5
    assert set(made["channels"]) == {"hybrid", "semantic", "bm25"}
    assert made["corpora"][0]["name"] == "shop-1.0"
    _, _, behaviour = evaluated(monkeypatch, capsys, shop / "shop-1.0.tar.gz", "--work", shop / "work", "--json")
    embedded = [text for _, body, _ in behaviour.requests if body for text in body["input"]]
    assert sorted(set(embedded) - {"dimension"}) == ["Charge the card for an amount.", "Put an item into the cart."]


def test_the_scope_decides_what_competes(shop, monkeypatch, capsys):
    counts = {}
    for scope in ("functions", "chunks"):
        _, out, _ = evaluated(monkeypatch, capsys, shop / "shop-1.0", "--scope", scope, "--json")
        counts[scope] = json.loads(out)["candidates"]
    assert 2 < counts["functions"] < counts["chunks"]


def test_the_text_is_a_table_and_a_sample_is_smaller(shop, monkeypatch, capsys):
    _, out, _ = evaluated(monkeypatch, capsys, shop / "shop-1.0", "--sample", 1)
    assert out.startswith("1 queries, 2 candidates (asked), model vllm:hashed-words/64\n")
    assert "| channel | MRR@10 | 95 % interval | first | in ten |" in out
    assert "hybrid over BM25 alone: " in out


def test_nothing_to_ask_is_wrong_use(tmp_path):
    """In a process, as a user would see it."""
    command = [sys.executable, "-m", "codeintel_rev", "eval", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no function with a docstring" in done.stderr
