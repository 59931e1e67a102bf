"""A module that fails when it is told to."""

import codeintel_fragile_switch

if codeintel_fragile_switch.error is not None:
    raise codeintel_fragile_switch.error

__version__ = "2.5"


def __getattr__(name):
    raise ImportError(f"no {name} without the other half")
