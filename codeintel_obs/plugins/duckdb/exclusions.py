"""Public names of DuckDB that are not steps, each with its reason. Patterns of ``Class.method`` and of functions."""

from __future__ import annotations

from typing import Final

_TYPES: Final = """
    sqltype dtype type array_type list_type union_type string_type enum_type decimal_type struct_type row_type map_type
"""
_BY_REASON: Final = {
    "makes a type object": " ".join(f"{name} DuckDBPyConnection.{name}" for name in _TYPES.split()),
    "reads what the connection or its last result already knows": """
        DuckDBPyConnection.description DuckDBPyConnection.rowcount DuckDBPyConnection.query_progress
        DuckDBPyConnection.list_filesystems DuckDBPyConnection.filesystem_is_registered
        DuckDBPyConnection.get_profiling_information description rowcount query_progress list_filesystems
        filesystem_is_registered get_profiling_information version build_info
    """,
    "reads what the binder said when the relation was built": """
        DuckDBPyRelation.type DuckDBPyRelation.columns DuckDBPyRelation.types DuckDBPyRelation.dtypes
        DuckDBPyRelation.description DuckDBPyRelation.alias DuckDBPyRelation.__contains__
    """,
    "renders the SQL text, runs nothing": "DuckDBPyRelation.sql_query",
    "a generator that runs when it is first asked, in the frame of who asks: its run is a duckdb.submit": """
        DuckDBPyRelation.iter_rows
    """,
    "forgets a result that was fetched": "DuckDBPyRelation.close",
    "stands in every attribute look-up; the relation that it projects is told when something is done with it": """
        DuckDBPyRelation.__getattr__
    """,
    "hands out a connection; what is done with it is told": """
        default_connection DuckDBPyConnection.__enter__ Appender.__enter__
    """,
    "the collector's own call, at a moment that nobody chose": "DuckDBPyConnection.__del__",
    "splits a text into words, without a connection": "tokenize",
    "a parsed statement: data": "Statement.*",
    "builds an expression, runs nothing": """
        Expression.* *Expression CaseExpression CoalesceOperator coalesce col count_all dense_rank first_value fn lag
        last_value lead lit ntile rank row_number sql_expr star when
    """,
    "a value, an enumeration or a type marker": """
        *Value Value.* *Value.* UnionType.* DBAPITypeObject.* CSVLineTerminator.* ExpectedResultType.* ExplainType.*
        PythonExceptionHandling.* RenderMode.* StatementType.* token_type.*
    """,
    "an exception": "*Exception.* *Error.* Warning.* Error.*",
}

EXCLUSIONS: Final = {name: reason for reason, names in _BY_REASON.items() for name in names.split()}
