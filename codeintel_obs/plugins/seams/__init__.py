"""Seams: steps for code that nobody instruments, declared in settings. For users; `docs/seams.md` shows one at work.

A seam names a function or method of any importable module, the kind of its step, and what is said of a call::

    [[tool.codeintel_obs.seams]]          # in codeintel_obs.toml: [[seams]]
    target = "shop.search:Searcher.find"
    kind = "shop.find"
    payload = { query = "args.query", hits = "len(result.items)", model = "name(self.model)" }
    failed_when = "result.error"
    failed_reason = "result.error.message"
    skipped_when = 'result.status == "off"'
    skipped_reason = "result.note"

    [[tool.codeintel_obs.seams.events]]   # decisions inside one result, each an instant of its own
    each = "result.skipped_channels"
    kind = "shop.channel"
    reason = "item.reason"
    payload = { channel = "name(item.name)" }

A function that raises is failed with its exception, a coroutine or generator is one step until it ends, all without a
line of code. ``failed_when`` and ``skipped_when`` are for results that say so themselves; a list of conditions holds
when one of them does. An event's ``status`` is ``skipped`` unless it says ``completed`` or ``failed``.

A path reads what is stored (attributes in ``__dict__`` or slots, keys, positions) and never runs a property or method:
what only runs to be recorded would be no record. What is not there is absent. ``args`` and ``self`` are read when the
call begins, ``result`` when it has returned; of a generator there is no result. An argument that was not passed is
absent, whatever its default. The function around a path says what the value is: ``len``, ``number`` and ``bool`` are
counts, ``type``, ``code`` and ``id`` are kept at every content level too, ``name`` and ``path`` from ``messages`` on;
``text``, and a path without a function, at ``all`` only. Reasons are details: kept from ``messages`` on.

A function that a decorator registered while its module was imported (``@app.get``, ``@server.tool``) is called by its router,
past its name: what the router holds is exchanged for the watched function too, wherever Python lets that be done (attributes,
slots, dicts, lists, closures). Where it does not (a ``functools.partial``, a tuple, a second name in a class), the
activation fact says how many hold it unwrapped, and a plan's kind that is not seen is ``not_observed``.

A plan names the kinds that a run is expected to pass; what a report then misses it lists as ``not_reached``::

    [[tool.codeintel_obs.plans]]
    match = "app.py"                      # the name of a run, of a tool, or the kind of a seam
    kinds = ["shop.find", "faiss.search"]

Mistakes are refused by ``codeintel-obs run`` and told by ``codeintel-obs doctor``, which also looks the targets and their
arguments up in the source, without importing it. At a call there is nothing left that could go wrong.
"""
