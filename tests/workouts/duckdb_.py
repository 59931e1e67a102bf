"""Uses DuckDB as a catalog would."""

from __future__ import annotations

from codeintel_obs import FieldClass
from codeintel_obs.testing import workout


def error(call, *types):
    try:
        call()
    except types as exc:
        return type(exc)


@workout("duckdb", canaries={"canary-in-sql": FieldClass.TEXT})
def queries(folder):
    import duckdb

    rows = []
    with duckdb.connect(str(folder / "catalog.duckdb")) as con:
        con.execute("create table chunks (id integer, path varchar)")
        con.executemany("insert into chunks values (?, ?)", [(number, f"p{number}") for number in range(20)])
        rows.append(con.execute("select count(*), 'canary-in-sql' from chunks").fetchall())
        rows.append(con.execute("select * from chunks order by id limit 3").fetchmany(9))
        rows.append(con.sql("select max(id) as m from chunks").fetchall())
        rows.append(con.table("chunks").filter("id > 17").order("id").fetchall())
        rows.append(con.execute("select id from chunks order by id limit 2").fetchnumpy())
        rows.append(error(lambda: con.execute("select canary from nowhere"), duckdb.Error))
        rows.append(error(lambda: con.execute("selec"), duckdb.Error))
        con.begin()
        con.execute("delete from chunks")
        con.rollback()
        rows.append(con.execute("select count(*) from chunks").fetchall())
        rows.append(con.cursor().execute("select 1").fetchall())
    rows.append(error(lambda: con.execute("select 1"), duckdb.Error))
    rows.append(error(lambda: duckdb.connect(str(folder / "no" / "such" / "folder.db")), duckdb.Error))
    return rows


@workout("duckdb")
def replacement_scans(_folder):
    import duckdb
    import numpy as np

    columns = {"a": np.arange(5), "b": np.arange(5) * 2.0}  # noqa: F841 - DuckDB looks it up in this very frame
    with duckdb.connect() as con:
        relation = con.sql("select sum(a) as s from columns")
        return [relation.fetchall(), con.execute("select max(b) from columns").fetchall(), relation.columns]


@workout("duckdb")
def module_functions(_folder):
    import duckdb

    return [
        duckdb.sql("select 42 as answer").fetchall(),
        duckdb.execute("select 1, 'a'").fetchall(),
        duckdb.query("select 7").fetchall(),
    ]
