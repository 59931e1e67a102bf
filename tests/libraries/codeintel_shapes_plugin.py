"""A stranger's plugin for the library of shapes: it declares a bit of everything that a table can declare."""

from __future__ import annotations

from codeintel_obs import Call, FieldClass, LibraryInstrumentor, Outcome, Point

LIBRARY = "codeintel_shapes"


def _value(call: Call):
    return {"text": repr(call.arg(0, "value")), "given": len(call.args)}


def _code(_call: Call, exc: BaseException):
    return {"code": type(exc).__name__}


def _kind_of(_call: Call, result):
    return Outcome({"type": type(result).__name__}, detail="looked at")


def _process(call: Call, result):
    return result if result is not None else call.instance


def point(name: str, kind: str | None = "", **more) -> Point:
    verb = name.rpartition(".")[2].lower()
    return Point(module=LIBRARY, name=name, kind=f"shapes.{verb}" if kind == "" else kind, **more)


class ShapesInstrumentor(LibraryInstrumentor):
    plugin = "shapes"
    library = LIBRARY
    requires = ("codeintel-shapes>=1",)
    points = (
        point("plain", before=_value, after=_kind_of, failed=_code, timed_out=lambda exc: False),
        point("answer"),
        point("warn"),
        point("raises", failed=_code, message=lambda exc: type(exc).__name__),
        point("count"),
        point("echo"),
        point("counting"),
        point("later"),
        point("streaming"),
        point("fetch"),
        point("opened"),
        point("stream"),
        point("caller_locals"),
        point("nested"),
        point("Base.work"),
        point("Child.work"),
        point("Base.made"),
        point("Base.helped"),
        point("Base.awaited"),
        point("Base.iterated"),
        point("Base.cached"),
        point("start", key=_process, ends_at=("Process.wait",)),
        point("Process.wait", kind=None, key=_process),
        point("only_in_version_9", optional=True),
    )
    fields = {  # noqa: RUF012 - a table, declared as ClassVar by the base class
        "text": FieldClass.TEXT,
        "given": FieldClass.COUNT,
        "code": FieldClass.CODE,
        "type": FieldClass.NAME,
        "never": FieldClass.SECRET,
        "place": FieldClass.PATH,
    }
