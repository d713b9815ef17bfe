"""Every setting an operator can make, typed, in one place.

Values come from environment variables. For a variable that holds a secret, ``<NAME>_FILE``
names a file to read it from instead (the convention of Docker and Kubernetes secrets).
A value that does not parse, and a ``STREAMSPACE_*`` variable that does not exist, stop the
start with one line: a typing error must not become a silently ignored setting.

``docs/reference/configuration.md`` is generated from this module.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import re
import zoneinfo
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo

BASE_DIR = Path(__file__).resolve().parent.parent

_DURATION_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?:[0-9]+[smhd])+")


class ConfigError(Exception):
    """The environment holds a setting that StreamSpace cannot start with."""


def parse_duration(text: str) -> timedelta:
    """Read ``90s``, ``30m``, ``1h30m`` or ``2d``; raise ValueError for anything else.

    >>> parse_duration("1h30m")
    datetime.timedelta(seconds=5400)
    """
    text = text.strip()
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration; write for example 90s, 30m, 1h30m or 2d")
    parts = re.findall(r"(\d+)([smhd])", text)
    try:
        return timedelta(seconds=sum(int(n) * _DURATION_UNITS[unit] for n, unit in parts))
    except OverflowError:
        raise ValueError(f"{text!r} is too long a duration") from None


def format_duration(duration: timedelta) -> str:
    """The shortest text that :func:`parse_duration` reads back as the same duration.

    Durations are whole seconds here; fractions are dropped.
    """
    rest = int(duration.total_seconds())
    if rest == 0:
        return "0s"
    text = ""
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, _DURATION_UNITS[unit])
        if count:
            text += f"{count}{unit}"
    return text


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _comma_list(value: object) -> object:
    if isinstance(value, str):
        return tuple(item.strip() for item in value.split(",") if item.strip())
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
CommaList = Annotated[tuple[str, ...], BeforeValidator(_comma_list)]


def _setting(default: Any, env: str, why: str, unit: str = "", **limits: Any) -> Any:
    return Field(default, alias=env, description=why, json_schema_extra={"unit": unit}, **limits)


class Config(BaseModel):
    """The settings, read once at start. Field order is the order of the reference page."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)

    # --- The installation
    secret_key: SecretStr = _setting(
        SecretStr(""),
        "STREAMSPACE_SECRET_KEY",
        "Signs cookies and entry codes. Every replica needs the same one. Left empty, the embedded "
        "default makes one in the data folder; with PostgreSQL it must be set.",
        "at least 32 characters",
    )
    debug: bool = _setting(
        False, "STREAMSPACE_DEBUG", "Django's debug pages. Never on a reachable address.", "boolean"
    )
    data_dir: Path = _setting(
        BASE_DIR / ".data",
        "STREAMSPACE_DATA_DIR",
        "Where the embedded default keeps its database, homes and session state.",
        "path",
    )
    runtime: Literal["local"] = _setting(
        "local", "STREAMSPACE_RUNTIME", "Where sessions run: as processes of this machine."
    )
    time_zone: str = _setting(
        "UTC", "STREAMSPACE_TIME_ZONE", "Time zone of the pages and the admin.", "IANA name"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = _setting(
        "INFO", "STREAMSPACE_LOG_LEVEL", "The least severe log record that is written."
    )
    log_format: Literal["console", "json"] = _setting(
        "console",
        "STREAMSPACE_LOG_FORMAT",
        "`console` is for people; `json` gives one object per line for a log collector.",
    )

    # --- Addresses
    host: str = _setting(
        "127.0.0.1",
        "STREAMSPACE_HOST",
        "Address to listen on. The local runtime refuses anything but loopback: whoever reaches "
        "it can run programs as you.",
        "IP address",
    )
    port: int = _setting(8000, "STREAMSPACE_PORT", "TCP port to listen on.", "port", ge=1, le=65535)
    portal_url: str = _setting(
        "",
        "STREAMSPACE_PORTAL_URL",
        "Address of the portal as browsers see it. Empty means http://localhost:<port>.",
        "URL without path",
    )
    ingress_domain: str = _setting(
        "localhost",
        "INGRESS_DOMAIN",
        "Each session has its own origin, <session>.<this>. Browsers resolve *.localhost to "
        "loopback without DNS.",
        "domain name",
    )
    cors_origins: CommaList = _setting(
        (),
        "CORS_ORIGINS",
        "Other web origins whose scripts may call the REST API with a token. Cookies are never "
        "accepted from them.",
        "comma-separated origins",
    )

    # --- Database
    db_host: str = _setting(
        "", "DB_HOST", "PostgreSQL server. Empty means SQLite in the data folder.", "host name"
    )
    db_port: int = _setting(5432, "DB_PORT", "PostgreSQL port.", "port", ge=1, le=65535)
    db_name: str = _setting("streamspace", "DB_NAME", "PostgreSQL database.")
    db_user: str = _setting("streamspace", "DB_USER", "PostgreSQL role.")
    db_password: SecretStr = _setting(SecretStr(""), "DB_PASSWORD", "Password of that role.")
    db_sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = (
        _setting("prefer", "DB_SSLMODE", "libpq's sslmode; use `verify-full` across networks.")
    )
    redis_url: SecretStr = _setting(
        SecretStr(""),
        "REDIS_URL",
        "Redis for Celery, WebSocket fan-out and the cache. Empty keeps all three inside the one "
        "process of the embedded default.",
        "redis:// or rediss:// URL",
    )

    # --- Sign-in
    admin_password: SecretStr = _setting(
        SecretStr(""),
        "STREAMSPACE_ADMIN_PASSWORD",
        "Password of the first admin, `admin`. Empty: one is generated and printed once.",
    )
    token_lifetime: Duration = _setting(
        timedelta(days=90),
        "STREAMSPACE_TOKEN_LIFETIME",
        "Longest life of an API token; a leaked token must end by itself.",
        "duration",
        gt=timedelta(0),
    )

    # --- Sessions
    idle_timeout: Duration = _setting(
        timedelta(minutes=30),
        "STREAMSPACE_IDLE_TIMEOUT",
        "Time without input after which a session hibernates when its template does not say.",
        "duration",
        ge=timedelta(minutes=1),
    )
    idle_warning: Duration = _setting(
        timedelta(minutes=5),
        "STREAMSPACE_IDLE_WARNING",
        "How long before hibernation the user is warned.",
        "duration",
        gt=timedelta(0),
    )
    start_timeout: Duration = _setting(
        timedelta(seconds=60),
        "STREAMSPACE_START_TIMEOUT",
        "A session that does not answer this long after its launch has failed. Image pulls do not "
        "count.",
        "duration",
        gt=timedelta(0),
    )
    history: Duration = _setting(
        timedelta(days=30),
        "STREAMSPACE_HISTORY",
        "How long the records and events of terminated sessions are kept.",
        "duration",
        gt=timedelta(0),
    )
    home_size: int = _setting(
        10 * 1024,
        "STREAMSPACE_HOME_SIZE",
        "Size of a new home, counted against the storage quota.",
        "MiB",
        ge=1,
    )
    paste_limit: int = _setting(
        1024,
        "STREAMSPACE_PASTE_LIMIT",
        "Largest clipboard text carried in one piece between browser and session.",
        "KiB",
        ge=1,
        le=65536,
    )
    worker_threads: int = _setting(
        4,
        "STREAMSPACE_WORKER_THREADS",
        "Reconciles that the all-in-one process performs at the same time.",
        "threads",
        ge=1,
        le=64,
    )

    @property
    def embedded(self) -> bool:
        """Whether this is the one-process installation (no Redis)."""
        return not self.redis_url.get_secret_value()

    @property
    def portal_origin(self) -> str:
        return self.portal_url.rstrip("/") or f"http://localhost:{self.port}"

    @property
    def installation_tag(self) -> str:
        """Eight hexadecimal digits that differ between installations and that nobody can guess.

        Cookie names carry it: a page on ``<session>.localhost`` can set cookies for
        ``localhost``, but only under names that it knows.
        """
        key = self.secret_key.get_secret_value()
        return hashlib.sha256(f"installation:{key}".encode()).hexdigest()[:8]


def variables() -> dict[str, FieldInfo]:
    """Environment variable name → field, in the order of the reference page."""
    return {str(f.alias): f for f in Config.model_fields.values()}


def _is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr


def load(environ: Mapping[str, str] | None = None) -> Config:
    """Read the configuration; raise :class:`ConfigError` with one line that says what to do."""
    environ = os.environ if environ is None else environ
    known = variables()
    raw: dict[str, str] = {}
    for name, field in known.items():
        if name in environ:
            raw[name] = environ[name]
        elif _is_secret(field) and f"{name}_FILE" in environ:
            path = Path(environ[f"{name}_FILE"])
            try:
                raw[name] = path.read_text().strip()
            except OSError as error:
                raise ConfigError(f"{name}_FILE: cannot read {path}: {error.strerror}") from None
            except UnicodeDecodeError:
                raise ConfigError(f"{name}_FILE: {path} is not text") from None
    _refuse_unknown(environ, known)
    try:
        config = Config.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "configuration"
        message = str(first["msg"]).removeprefix("Value error, ")
        raise ConfigError(f"{name}: {message}") from None
    return _complete(config)


_PREFIX = "STREAMSPACE_"


def _refuse_unknown(environ: Mapping[str, str], known: Mapping[str, FieldInfo]) -> None:
    allowed = set(known) | {f"{n}_FILE" for n, f in known.items() if _is_secret(f)}
    for name in sorted(environ):
        if not name.startswith(_PREFIX) or name in allowed:
            continue
        if name.startswith("STREAMSPACE_TEST_"):  # read by the test suite only
            continue
        # Without the prefix, which would make everything look alike.
        words = {n.removeprefix(_PREFIX): n for n in allowed}
        close = difflib.get_close_matches(name.removeprefix(_PREFIX), words, n=1)
        hint = f"did you mean {words[close[0]]}? " if close else ""
        raise ConfigError(
            f"{name} is not a setting; {hint}docs/reference/configuration.md lists them"
        )


def _complete(config: Config) -> Config:
    """Check what concerns several settings at once, and make the embedded default's key."""
    key = config.secret_key.get_secret_value()
    if key and len(key) < 32:
        raise ConfigError("STREAMSPACE_SECRET_KEY: must have at least 32 characters")
    if config.runtime == "local" and config.host not in ("127.0.0.1", "::1", "localhost"):
        raise ConfigError(
            f"STREAMSPACE_HOST: {config.host} is not loopback; the local runtime is for one person "
            "on one machine and listens on 127.0.0.1 only"
        )
    try:
        zoneinfo.ZoneInfo(config.time_zone)
    except (LookupError, OSError, ValueError):
        raise ConfigError(
            f"STREAMSPACE_TIME_ZONE: {config.time_zone!r} is not a time zone; write for example "
            "UTC or Europe/Berlin"
        ) from None
    origin = config.portal_origin
    if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+", origin):
        raise ConfigError(f"STREAMSPACE_PORTAL_URL: {origin!r} is not a URL without path")
    if not key:
        if config.db_host:
            raise ConfigError("STREAMSPACE_SECRET_KEY: must be set when DB_HOST is")
        config = config.model_copy(update={"secret_key": SecretStr(_own_key(config.data_dir))})
    return config


def _own_key(data_dir: Path) -> str:
    """The data folder's key, made on first use with mode 0600."""
    import secrets

    path = data_dir / "secret-key"
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            if key := path.read_text().strip():
                return key
            path.unlink()  # a disk that was full when the key was made
        # Written aside and linked, so that of two processes that start at once both get the same
        # key: neither ever sees an empty file.
        aside = data_dir / f"secret-key.{secrets.token_hex(8)}"
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(aside)
        finally:
            aside.unlink()
        return path.read_text().strip()
    except OSError as error:
        raise ConfigError(f"STREAMSPACE_DATA_DIR: {path}: {error.strerror}") from None
