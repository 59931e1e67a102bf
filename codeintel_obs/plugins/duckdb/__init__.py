"""DuckDB: what ran on which database, how many rows came back, and where it failed.

Library ``duckdb`` 1.4 to 2.0, its module functions included. Nothing is handed out in place of the library's
objects: the methods of its classes are wrapped, so ``execute`` still returns its connection, and ``type()`` its type.

Steps, each with ``method``, the name that was called (`duckdb.connect` and the like have one only):

- ``duckdb.connect``, ``duckdb.cursor``, ``duckdb.close``: ``database`` as it was given, ``read_only``, the names of
  the ``config`` settings. A bad path fails here.
- ``duckdb.query``: ``execute``, ``executemany``, ``sql`` and their like. ``op`` and ``statements`` are the words that
  the statements begin with, ``sql_sha256`` and ``sql_len`` identify the text, ``affected`` is the library's own row
  count where it has one (2.0) and no other call on the connection was under way, which may have left it, ``result``
  says what came back. Of a text that only reads, a ``relation`` comes back and nothing has run yet.
- ``duckdb.fetch``: ``rows`` that came back. It links the ``duckdb.query`` whose rows it fetches, and that is where a
  late error surfaces: in DuckDB the fetch is most of the work. A ``RecordBatchReader`` or a lazy frame has no ``rows``
  yet, and what is read from it later happens in another library.
- ``duckdb.submit`` (2.0): one statement that a relation hands to the engine, under the step that asked for it.
- ``duckdb.relation``: a relation is built and bound, which may fail, but nothing runs.
- ``duckdb.show``, ``.len``, ``.shape``, ``.explain``, ``.materialize``: these run queries too, and so does
  ``repr(relation)``.
- ``duckdb.create``, ``.create_view``, ``.insert``, ``.update``, ``.write_csv``, ``.write_parquet``, ``.append`` and
  the rest of an ``Appender``, ``.register``, ``.unregister``, ``.begin``, ``.commit``, ``.rollback``, ``.checkpoint``,
  ``.interrupt``, ``.complete``, ``.abort``, ``.create_function``, ``.install_extension`` … by their own names.
- ``duckdb.df``, ``duckdb.arrow``: the module functions that fetch, or make a relation of the object they are given.

Never recorded: parameters, rows and values; at no level what a ``CREATE SECRET`` holds, the value of a setting that
is named like a credential, and what looks like one elsewhere. SQL text only at content level ``all``; below it, error
messages lose what the library echoes of the statement. A step is ``timed_out`` only when DuckDB itself says that
``max_execution_time`` was exceeded.

Describing never touches the database: a query of ours on the application's connection would destroy its open result.
"""
