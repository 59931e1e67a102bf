"""FAISS under LlamaIndex: its vector store fills, keeps, loads and asks an index over MiniLM-sized vectors."""

from __future__ import annotations

import sys
from pathlib import Path

import answers
import faiss
import numpy as np
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import VectorStoreQuery
from llama_index.vector_stores.faiss import FaissVectorStore

DIMENSION = 64


def main(folder: Path) -> None:
    vectors = np.random.default_rng(5).normal(size=(1_000, DIMENSION)).astype("float32")
    answers.keep(folder, **{name: asked(folder / name, made, vectors) for name, made in indexes(vectors).items()})


def indexes(vectors):
    made = {name: faiss.index_factory(DIMENSION, name) for name in ("Flat", "HNSW16", "IVF16,Flat", "PQ8x4", "LSH")}
    for index in made.values():
        index.train(vectors)
    return made


def asked(path: Path, index, vectors):
    store = FaissVectorStore(faiss_index=index)
    store.add([TextNode(id_=str(n), text=str(n), embedding=v.tolist()) for n, v in enumerate(vectors)])
    store.persist(str(path))
    loaded = FaissVectorStore.from_persist_path(str(path))
    queries = [VectorStoreQuery(query_embedding=v.tolist(), similarity_top_k=7) for v in vectors[:50] + 0.01]
    found = [loaded.query(query) for query in queries]
    return [(result.ids, result.similarities) for result in found]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
