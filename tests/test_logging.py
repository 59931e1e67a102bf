"""The application's log records are on record, and its logging is what it is without us."""

from __future__ import annotations

import inspect
import io
import logging
import sys
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import processes
import pytest

from codeintel_obs import context, emit_step, step
from codeintel_obs.plugins.logging.describe import is_plain
from codeintel_obs.plugins.logging.instrumentor import LoggingInstrumentor
from codeintel_obs.recorder import Listeners
from codeintel_obs.steps import StepEvent
from codeintel_obs.testing import recording


@pytest.fixture
def logger(request):
    """Return a logger of this test's own, at DEBUG, with a handler that keeps what it formats."""
    made = logging.Logger(f"app.{request.node.name}", 10)  # noqa: LOG001 - unregistered: pytest adds no handler to it
    made.lines = io.StringIO()
    handler = logging.StreamHandler(made.lines)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    made.addHandler(handler)
    yield made
    made.removeHandler(handler)


class Order:
    """An object of the application's whose text has a side effect."""

    asked = 0

    def __str__(self) -> str:
        type(self).asked += 1
        return f"order {self.asked}"


def test_a_record_is_told_with_its_run_step_level_and_text(logger):
    """Logger, level, text, time and place are the record's own."""
    with recording(LoggingInstrumentor) as told, step("outer.work"):
        logger.warning("paid %s of %d in %s", "acme", 3, Path("/a"))
    (entry,) = told.logs
    outer = told.only("outer.work")
    assert (entry.logger, entry.level, entry.text) == (logger.name, "WARNING", "paid acme of 3 in /a")
    assert (entry.run, entry.span_id, entry.trace_id) == (outer.run, outer.span_id, outer.trace_id)
    assert outer.ts_ns <= entry.ts_ns + 1_000 and entry.ts_ns <= outer.end_ts_ns
    assert logger.lines.getvalue() == "WARNING paid acme of 3 in /a\n"


@pytest.mark.parametrize(("lowest", "kept"), [("DEBUG", 5), ("INFO", 4), ("WARNING", 3), ("ERROR", 2), ("CRITICAL", 1)])
def test_records_below_the_set_level_are_left_out(logger, lowest, kept):
    """The recorder's level is its own: the application's handlers get every record."""
    with recording(LoggingInstrumentor, log_level=lowest) as told:
        for level in (10, 20, 30, 40, 50):
            logger.log(level, "said")
    assert len(told.logs) == kept
    assert len(logger.lines.getvalue().splitlines()) == 5


def test_a_logger_that_does_not_propagate_is_seen_once_and_one_that_does_once():
    """All records pass callHandlers exactly once, whatever their handlers are."""
    with recording(LoggingInstrumentor) as told:
        logging.getLogger("uvicorn.error.test").propagate = False
        logging.getLogger("uvicorn.error.test").error("apart")
        logging.getLogger("some.deep.name").error("up")
    assert [entry.text for entry in told.logs] == ["apart", "up"]


def test_an_objects_own_text_is_the_one_that_a_handler_made(logger):
    """Its __str__ runs as often as without us: once for each handler, never for the recorder."""
    Order.asked = 0
    with recording(LoggingInstrumentor) as told:
        logger.info("paid %s", Order())
    assert (told.logs[0].text, Order.asked) == ("paid order 1", 1)


def test_an_object_that_no_handler_made_text_of_is_told_by_its_type(logger):
    """A record that nobody formats is on record without running the application's code."""
    Order.asked = 0
    logger.handlers[0].setLevel(logging.ERROR)
    with recording(LoggingInstrumentor) as told:
        logger.info("paid %s and %d", Order(), 3)
        logger.info(Order())
    name = f"{Order.__module__}.Order"
    assert [entry.text for entry in told.logs] == [f"paid %s and %d % (<{name}>, 3)", f"<{name}>"]
    assert Order.asked == 0


def test_a_format_that_does_not_fit_is_the_applications_error_and_not_ours(logger, capsys):
    """Logging tells of it as it does without us; on record are the template and its arguments."""
    with recording(LoggingInstrumentor) as told:
        logger.info("%d pieces", "many")
    assert told.logs[0].text == "%d pieces % ('many')"
    assert "--- Logging error ---" in capsys.readouterr().err
    assert told.records == []


def test_an_exception_has_the_same_id_in_log_and_step(logger):
    """exc_info names the very exception of the step that raised it."""
    with recording(LoggingInstrumentor) as told:
        try:
            with step("outer.work"):
                int("broken")
        except ValueError:
            logger.exception("failed")
    assert told.logs[0].error == told.only("outer.work").error
    assert told.logs[0].error.message == "invalid literal for int() with base 10: 'broken'"


def test_a_text_is_cut_at_eight_kib_and_says_so(logger):
    """The cap keeps a record small; what is gone is told."""
    with recording(LoggingInstrumentor) as told:
        logger.info("x" * 100_000)
    assert told.logs[0].text == "x" * 8192 + f" [cut {100_000 - 8192} characters]"


@pytest.mark.parametrize(
    ("content", "text"), [("none", None), ("messages", "key=[redacted]"), ("all", "key=[redacted]")]
)
def test_the_content_level_decides_about_texts(logger, content, text):
    """A secret is in no log of any level; below messages there is no text at all."""
    with recording(LoggingInstrumentor, content=content) as told:
        logger.info("api_key=%s", "abcdef123456")
    found = told.logs[0].text
    assert found is None if text is None else found.endswith(text)
    assert told.logs[0].level == "INFO"


def test_what_a_sink_logs_is_not_recorded(logger):
    """No recursion, and nothing of ours among the application's."""
    chatty = Listeners(log=(lambda _entry: logger.error("from a sink"),))
    with recording(LoggingInstrumentor, listeners=[chatty]) as told:
        logger.info("from the application")
        logging.getLogger("codeintel_obs.steps").error("ours")
        with context.suppress():
            logger.error("ours too")
    assert [entry.text for entry in told.logs] == ["from the application"]


def test_a_handler_that_records_steps_and_logs_is_the_application(logger):
    """What the application's handlers do is recorded like anything else."""

    class Busy(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno < logging.ERROR:
                emit_step(StepEvent("retrieval.budget"))
                logger.error("from a handler")

    logger.addHandler(busy := Busy())
    with recording(LoggingInstrumentor) as told:
        logger.info("from the application")
    logger.removeHandler(busy)
    assert [entry.text for entry in told.logs] == ["from the application", "from a handler"]
    assert told.kinds == ["retrieval.budget"]


def test_file_line_and_stacklevel_are_the_callers(logger):
    """findCaller works above our wrapper, for a plain call and with a stacklevel."""
    seen: list[Any] = []
    logger.addFilter(lambda record: seen.append((record.pathname, record.lineno, record.funcName)) or True)

    def helper() -> None:
        logger.info("from a helper", stacklevel=2)

    with recording(LoggingInstrumentor):
        line = inspect.currentframe().f_lineno
        logger.info("direct")
        helper()
    here = inspect.currentframe().f_code.co_name
    assert seen == [(__file__, line + 1, here), (__file__, line + 2, here)]


def test_a_handler_that_walks_the_stack_finds_the_caller(logger):
    """Handlers that hand records to another logging library look for the first frame outside logging's file."""
    found: list[Any] = []

    class Walking(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            frame = inspect.currentframe().f_back
            while frame.f_code.co_filename == logging.__file__:
                frame = frame.f_back
            found.append((frame.f_code.co_filename, frame.f_code.co_name))

    logger.addHandler(walking := Walking())
    with recording(LoggingInstrumentor):
        logger.info("who am I")
    logger.removeHandler(walking)
    assert found == [(__file__, inspect.currentframe().f_code.co_name)]


def test_an_exception_of_a_handler_passes_through_with_no_frame_of_ours(logger):
    """It is the very object, and its traceback shows the application and logging only."""

    class Failing(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise error

    error = RuntimeError("disk full")
    logger.addHandler(failing := Failing())
    with recording(LoggingInstrumentor) as told, pytest.raises(RuntimeError) as caught:
        logger.info("said")
    logger.removeHandler(failing)
    assert caught.value is error
    assert "codeintel_obs" not in {frame.name for frame in caught.traceback}
    assert {Path(str(frame.path)).name for frame in caught.traceback} == {"test_logging.py", "__init__.py"}
    assert told.logs[0].text == "said"


def test_records_of_many_threads_are_all_told(logger):
    """Each with its own thread's name."""
    with recording(LoggingInstrumentor) as told:
        threads = [threading.Thread(target=logger.info, args=("%d", n), name=f"worker-{n}") for n in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert sorted((entry.thread, entry.text) for entry in told.logs) == [(f"worker-{n}", str(n)) for n in range(8)]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Decimal("1.5"), True),
        ({"a": [1, (2.0, None)]}, True),
        (ValueError("x", 3), True),
        (ValueError(Order()), False),
        (Order(), False),
        ([Order()], False),
        ({"a": Order()}, False),
        (list(range(1000)), False),
        (type("Text", (str,), {})("x"), False),
        ([[[[[1]]]]], False),
    ],
)
def test_only_what_the_standard_library_turns_into_text_is_turned(value, plain):
    """Nothing that could run the application's own code is asked for its text."""
    assert is_plain(value) is plain


PROGRAM = """
{start}
import logging, sys
class Odd:
    def __repr__(self): return "odd " + sys._getframe(1).f_code.co_name
logging.warning("before any configuration")
logging.root.handlers.clear()
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(filename)s:%(lineno)d %(funcName)s %(message)s")
log = logging.getLogger("app")
log.info("one %s", 1)
log.debug("not shown")
log.info("two %r", Odd())
log.info("%d wrong", "x")
log.info("no args %s %s", 1)
logging.getLogger("quiet").setLevel(logging.ERROR)
logging.getLogger("quiet").warning("not shown")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed", stack_info=True)
print(logging.root.handlers, logging.root.level, logging.lastResort, logging.Logger.manager.disable)
"""


def test_output_handlers_and_levels_are_what_they_are_without_us(tmp_path):
    """The same bytes on both streams: basicConfig, formats, logging's own error reports with stacks, lastResort."""

    def run(start: str) -> tuple[str, str]:
        (tmp_path / "program.py").write_text(PROGRAM.format(start=start))
        ended = processes.run(tmp_path, sys.executable, "program.py")
        assert ended.returncode == 0, ended.stderr
        return ended.stdout, ended.stderr

    without = run("")
    assert run("import codeintel_obs; assert codeintel_obs.start()") == without
    assert "Call stack" in without[1]


def test_uninstrumenting_restores_the_identical_function():
    """Nothing of ours stays on the class."""
    original = vars(logging.Logger)["callHandlers"]
    with recording(LoggingInstrumentor):
        assert vars(logging.Logger)["callHandlers"] is not original
    assert vars(logging.Logger)["callHandlers"] is original
