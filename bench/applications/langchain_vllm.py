"""vLLM under LangChain: its wrapper of the offline engine completes prompts greedily, one by one and in a batch."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import answers
import in_vllm
import in_vllm_models

PROMPTS = ("the cat sat on a mat", "fish in the sea", "a query and an answer")


def main(folder: Path) -> None:
    os.environ |= in_vllm.ENVIRONMENT
    os.environ.pop("TQDM_DISABLE", None)  # this vLLM divides by the time that a disabled bar has not measured
    from langchain_community.llms import VLLM

    engine = {"enforce_eager": True, "max_model_len": 128, "seed": 3}
    model = VLLM(
        model=in_vllm_models.llama(), dtype="float32", temperature=0, max_new_tokens=8, vllm_kwargs=engine, cache=False
    )
    together = model.generate(list(PROMPTS))
    answers.keep(
        folder, alone=[model.invoke(prompt) for prompt in PROMPTS], together=[g[0].text for g in together.generations]
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
