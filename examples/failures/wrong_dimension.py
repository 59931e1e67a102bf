"""The model was exchanged: the query has another dimension than the index, and FAISS says nothing but AssertionError."""

import faiss
import numpy as np

index = faiss.IndexFlatL2(384)
index.add(np.zeros((10, 384), dtype="float32"))
index.search(np.zeros((1, 768), dtype="float32"), 5)
