"""How good the retrieval is, measured: functions found by the docstrings that were taken away from them."""
