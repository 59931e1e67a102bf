"""A query runs into the connection's time limit."""

import duckdb

connection = duckdb.connect()
connection.execute("set max_execution_time = 200")
connection.execute("select count(*) from range(1000000000) a, range(1000000000) b").fetchall()
