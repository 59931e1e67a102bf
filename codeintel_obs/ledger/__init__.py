"""The ledger: one line per event, durable when written, and read back with every damage told."""
