"""A program of its own: starts one session's processes and stays with them to the end.

Two rules hold in this folder, because a person waits while it starts: the standard library only,
and relative imports only. It runs as the top-level package ``keeper``, so that no ``__init__``
above it is executed; the runtime imports from it what both must agree on.
"""
