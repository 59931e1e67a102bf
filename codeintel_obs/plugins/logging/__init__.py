"""Watches the standard library's ``logging`` (no library to install), on every supported Python.

**Records.** One ``log`` record for each log record of the application at or above ``log_level`` (default ``INFO``): its
``logger``, its ``level`` and its ``text``, with the run and the step in which it was logged, the time at which the
application made it, and the exception that it carries (``exc_info``), by the same id as the step's that raised it.

**Where.** At ``Logger.callHandlers``, the one method through which all records pass that their logger lets through:
loggers with ``propagate=False`` (uvicorn's) are seen, and records that no handler takes. No handler is installed, no
level changed: ``logging.basicConfig()`` does what it does without us, and a record's file, line and ``stacklevel`` are
the application's own. A logger class that overrides ``callHandlers`` without calling it is not seen.

**Text.** What has side effects is never run twice. A message whose parts are texts, numbers, dates, paths, exceptions
and plain collections of these is put together at once, before any handler runs. Where an object of the application's
own would have to be turned into a text (its ``__str__`` may count, lock or query), the text is the one that the
application's handlers made of it, read from the record after them; and where none did, it is the template and the
types of its arguments, ``paid %s % (<shop.Order>)``. The same goes for a format that its arguments do not fit.

**Never recorded**: ``extra`` fields, ``stack_info``, tracebacks, source lines. Below content level ``messages`` there
is no text. Texts are redacted and cut to 8 KiB. What the recorder's own sinks log, and the steps of the ``stdlog``
sink, are not the application's and are left out.
"""
