"""GitPython's instrumentor: which of its calls are steps, and what each payload key holds."""

from __future__ import annotations

from codeintel_obs.instrumentor import LibraryInstrumentor
from codeintel_obs.plugins.git.exclusions import EXCLUSIONS
from codeintel_obs.plugins.git.points import POINTS
from codeintel_obs.plugins.git.semantics import SEMANTICS
from codeintel_obs.steps import FieldClass


class GitInstrumentor(LibraryInstrumentor):
    """Watches GitPython: its operations, and each git process that they start."""

    plugin = "git"
    library = "git"
    requires = ("gitpython>=3.1.40,<3.3",)
    points = POINTS
    exclusions = EXCLUSIONS
    semantics = SEMANTICS
    fields = {  # noqa: RUF012 - a table, declared as ClassVar by the base class
        "subcommand": FieldClass.ID,
        "program": FieldClass.NAME,
        "options": FieldClass.CODE,
        "arguments": FieldClass.COUNT,
        "argv": FieldClass.TEXT,
        "cwd": FieldClass.PATH,
        "streamed": FieldClass.CODE,
        "session": FieldClass.CODE,
        "pid": FieldClass.ID,
        "exit_code": FieldClass.CODE,
        "stdout_len": FieldClass.COUNT,
        "hook": FieldClass.NAME,
        "repository": FieldClass.PATH,
        "path": FieldClass.PATH,
        "paths": FieldClass.COUNT,
        "range": FieldClass.NAME,
        "items": FieldClass.COUNT,
        "lines": FieldClass.COUNT,
        "refused": FieldClass.COUNT,
        "answer": FieldClass.CODE,
        "bare": FieldClass.CODE,
        "commit": FieldClass.ID,
        "object": FieldClass.ID,
        "remote": FieldClass.NAME,
        "refspec": FieldClass.NAME,
        "ref": FieldClass.NAME,
        "submodule": FieldClass.NAME,
        "url": FieldClass.NAME,
    }
