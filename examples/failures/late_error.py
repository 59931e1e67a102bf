"""The query is fine; the error comes with the rows."""

import duckdb

found = duckdb.connect().sql("select (i || 'x')::int from range(3) t(i)")
print("the query was accepted")
found.fetchall()
