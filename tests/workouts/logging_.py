"""Logs as an application would."""

from __future__ import annotations

import io
import logging

from codeintel_obs import FieldClass
from codeintel_obs.testing import workout


@workout("logging", canaries={"canary-in-a-log": FieldClass.NAME})
def logs(_folder):
    logger = logging.getLogger("workout.logging")
    stream, handler = io.StringIO(), None
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s %(funcName)s %(lineno)d"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        logger.debug("below every %s", "level")
        logger.warning("%d of %s: canary-in-a-log", 3, {"a": [1]})
        try:
            raise LookupError("gone")  # noqa: TRY301 - it is there to be logged
        except LookupError:
            logger.exception("failed")
        logging.getLogger("workout.logging.child").error("from a child", stack_info=False)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    return stream.getvalue()
