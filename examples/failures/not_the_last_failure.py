"""Two failures: the first is handled, the last too; what stopped the program is neither."""

import duckdb
import git

try:
    git.Repo("/no/such/repository")
except git.NoSuchPathError:
    print("no repository, so no history")
try:
    duckdb.connect().execute("select * from prices")
except duckdb.CatalogException:
    prices = {}
print(prices["book"])
