"""What all tests share: the public fixtures and the conformance kit, as a plugin's author loads them, and real servers."""

pytest_plugins = ["codeintel_obs.testing", "rev_served"]
