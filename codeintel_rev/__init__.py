"""A code-search service for one git repository: index it once, then ask it in words or identifiers.

It knows nothing of who watches it: no telemetry is imported anywhere below this package.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
