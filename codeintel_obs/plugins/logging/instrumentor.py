"""The logging instrumentor: one point, through which every log record passes."""

from __future__ import annotations

from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.plugins.logging.describe import record_of, text_after
from codeintel_obs.steps import FieldClass, Point


class LoggingInstrumentor(LibraryInstrumentor):
    """Watches the standard library's logging: records, never levels, handlers or output."""

    plugin = "logging"
    library = "logging"
    points = (
        Point(
            module="logging",
            name="Logger.callHandlers",
            kind=None,
            before=record_of,
            after=text_after,
            emits="log",
        ),
    )
    fields = {  # noqa: RUF012 - a table, declared as ClassVar by the base class
        "logger": FieldClass.ID,
        "level": FieldClass.CODE,
        "text": FieldClass.NAME,
    }
    exclusions = {  # noqa: RUF012 - a table, declared as ClassVar by the base class
        "*": "every record passes Logger.callHandlers; what configures or formats does no work of its own",
    }
