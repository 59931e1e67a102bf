"""What all tests share: the public fixtures and the conformance kit, loaded as a plugin's author would load them."""

from importlib.util import find_spec

from in_torch import FILES

pytest_plugins = ["codeintel_obs.testing"]

# What needs torch runs in an environment of its own: tests/test_in_torch.py makes it and says so.
collect_ignore = [] if find_spec("sentence_transformers") else list(FILES)
