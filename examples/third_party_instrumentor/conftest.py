pytest_plugins = ["codeintel_obs.testing"]
