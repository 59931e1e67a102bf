"""The search came back empty: nothing failed. More neighbours were asked for than there are vectors."""

import faiss
import numpy as np

index = faiss.IndexFlatIP(8)
distances, ids = index.search(np.zeros((1, 8), dtype="float32"), 5)
print([int(number) for number in ids[0] if number >= 0])
