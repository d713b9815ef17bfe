"""``python -m tests.bench [NAME …]``: run the benches (all, or those named) and print one table.

The exit status is 1 when a figure misses its target or a bench could not run.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import platform
import sys
import time
import traceback

from tests import bench
from tests.bench.table import Row, render


def names() -> list[str]:
    return sorted(
        module.name.removeprefix("bench_")
        for module in pkgutil.iter_modules(bench.__path__)
        if module.name.startswith("bench_")
    )


def main(wanted: list[str]) -> int:
    known = names()
    if unknown := [name for name in wanted if name not in known]:
        print(f"No such bench: {', '.join(unknown)}. There are: {', '.join(known)}")
        return 2
    rows: list[Row] = []
    broken: list[str] = []
    for name in wanted or known:
        started = time.monotonic()
        try:
            rows += importlib.import_module(f"tests.bench.bench_{name}").run()
        except Exception:  # noqa: BLE001 - one broken bench must not hide the others
            traceback.print_exc()
            broken.append(name)
        print(f"{name}: {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)
    python = platform.python_version()
    print(f"\n{os.cpu_count()} cores, {platform.machine()}, Python {python}\n")
    print(render(rows))
    if broken:
        print(f"\nCould not run: {', '.join(broken)}")
    return 1 if broken or any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
