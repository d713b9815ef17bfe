"""The product's settings for one test process: own data folder, own key, fast passwords.

pytest-django imports this before any conftest, so the environment is prepared here. Settings of
the developer's shell never reach a test. ``STREAMSPACE_TEST_DB=postgres`` runs the same tests on
PostgreSQL: on the server that ``DB_HOST`` names, or on one that lives as long as the process.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile
from pathlib import Path

from streamspace.config import variables
from tests.infra.postgres import PostgresServer
from tests.infra.programs import MissingProgram

TEST_DB = os.environ.get("STREAMSPACE_TEST_DB", "sqlite")
TEST_DB_MISSING = ""
"""Why the asked-for database cannot be had here; every test is then skipped with this reason."""

_given = {name: os.environ[name] for name in variables() if name in os.environ}
for _name in _given:
    del os.environ[_name]
    os.environ.pop(f"{_name}_FILE", None)

_data_dir = Path(tempfile.mkdtemp(prefix="ss-test-"))
atexit.register(shutil.rmtree, _data_dir, ignore_errors=True)
os.environ |= {
    "STREAMSPACE_DATA_DIR": str(_data_dir),
    "STREAMSPACE_SECRET_KEY": secrets.token_urlsafe(48),
    "STREAMSPACE_LOG_LEVEL": "WARNING",
}
if TEST_DB == "postgres":
    if "DB_HOST" in _given:  # an own server, or (in a worker of xdist) that of the main process
        os.environ |= {name: value for name, value in _given.items() if name.startswith("DB_")}
    else:
        try:
            _server = PostgresServer.start()
        except MissingProgram as missing:
            TEST_DB_MISSING = str(missing)
        else:
            atexit.register(_server.stop)
            os.environ |= _server.environ()

from streamspace.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
