"""Everything that touches the world: git, the model, FAISS, BM25, DuckDB and the index folder."""
