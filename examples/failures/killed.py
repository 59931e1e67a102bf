"""Somebody kills the process in the middle of a query."""

import os
import signal
import threading

import duckdb

threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGKILL)).start()
duckdb.connect().execute("select count(*) from range(1000000000) a, range(1000000000) b")
