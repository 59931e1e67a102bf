"""One folder per watched library; they do not know each other."""
