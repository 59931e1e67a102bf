"""What all tests share: the public fixtures and the conformance kit, as a plugin's author loads them, and real servers."""

from importlib.util import find_spec

from in_torch import FILES

# The environment of torch has neither the application nor its libraries.
pytest_plugins = ["codeintel_obs.testing", *(["rev_served"] if find_spec("git") else [])]

# What needs torch runs in an environment of its own: tests/test_in_torch.py makes it and says so.
collect_ignore = [] if find_spec("sentence_transformers") else list(FILES)
