"""Pure parts of searching: words, fusion, and the shape of an answer."""
