"""What needs DuckDB: packs of closed runs, SQL over the ledger, exports. Imported by the command line alone."""
