"""What all tests share: the public fixtures and the conformance kit, as a plugin's author loads them, and real servers."""

from importlib.util import find_spec

import in_torch
import in_vllm

# The environment of torch has neither the application nor its libraries.
pytest_plugins = ["codeintel_obs.testing", *(["rev_served"] if find_spec("git") else [])]

# What needs torch or vLLM runs in environments of their own: tests/test_in_torch.py and tests/test_in_vllm.py make them.
collect_ignore = [] if find_spec("sentence_transformers") else list(in_torch.FILES)
collect_ignore += [] if find_spec("vllm") else list(in_vllm.FILES)
