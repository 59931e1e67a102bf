"""From a commit to a published index."""
