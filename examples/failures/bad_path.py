"""The path of the database leads nowhere."""

import duckdb

duckdb.connect("/no/such/folder/shop.duckdb")
