"""The application turns every error into its own: what is on the screen is not what happened."""

import faiss


class SearchUnavailableError(Exception):
    """What the application tells its users."""


try:
    faiss.read_index("/no/such/index.faiss")
except RuntimeError as error:
    raise SearchUnavailableError("search is unavailable, try again later") from error
