"""What all tests share: the public fixtures and the conformance kit, loaded as a plugin's author would load them."""

pytest_plugins = ["codeintel_obs.testing"]
