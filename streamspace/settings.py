"""Django's settings, all derived from :mod:`streamspace.config`."""

from __future__ import annotations

import re
import sys
from typing import Any

import django_stubs_ext

from streamspace import config as _config
from streamspace.api import settings as _api
from streamspace.logging import logging_config

# Makes Django's generic classes (ModelAdmin[Session]) subscriptable at run time.
django_stubs_ext.monkeypatch()

try:
    STREAMSPACE = _config.load()
except _config.ConfigError as error:
    sys.exit(f"streamspace: {error}")

SECRET_KEY = STREAMSPACE.secret_key.get_secret_value()
DEBUG = STREAMSPACE.debug
_secure = STREAMSPACE.portal_origin.startswith("https://")
_portal_host = re.sub(r":\d+$", "", STREAMSPACE.portal_origin.split("://", 1)[1])
# `.localhost`-style wildcards never reach Django: streamspace.asgi routes them to the stream.
ALLOWED_HOSTS = sorted({_portal_host, "localhost", "127.0.0.1", "[::1]"})
CSRF_TRUSTED_ORIGINS: list[str] = []

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "corsheaders",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "django_htmx",
    "django_prometheus",
    "django_structlog",
    "streamspace",
    "streamspace.accounts",
    "templates_app",
    "sessions",
    "sessions.stream",
    "controller",
    "frontend",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "streamspace.middleware.SecurityHeadersMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "streamspace.middleware.DatabaseAwayMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "streamspace.middleware.SameOriginMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "streamspace.urls"
ASGI_APPLICATION = "streamspace.asgi.application"

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Before the apps' own: allauth's pages are overridden there.
        "DIRS": [_config.BASE_DIR / "frontend" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database ---------------------------------------------------------------------------------

DATABASES: dict[str, dict[str, Any]]
if STREAMSPACE.db_host:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": STREAMSPACE.db_host,
            "PORT": STREAMSPACE.db_port,
            "NAME": STREAMSPACE.db_name,
            "USER": STREAMSPACE.db_user,
            "PASSWORD": STREAMSPACE.db_password.get_secret_value(),
            # Connections of async consumers live in short-lived threads, so no persistence.
            "CONN_MAX_AGE": 0,
            "OPTIONS": {"sslmode": STREAMSPACE.db_sslmode, "connect_timeout": 5},
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": STREAMSPACE.data_dir / "streamspace.sqlite3",
            "OPTIONS": {
                "timeout": 20,
                # A transaction that reads and then writes cannot be upgraded once another wrote;
                # taking the write lock at once turns that error into a short wait.
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
            # A file also for tests: SQLite in memory cannot be shared between threads' connections
            # with these options.
            "TEST": {"NAME": STREAMSPACE.data_dir / "test.sqlite3"},
        }
    }
# Tokens are ours (accounts.ApiToken). The table that knox's migrations make beside it is unused,
# and its foreign key keeps TransactionTestCase from emptying the users on PostgreSQL.
MIGRATION_MODULES = {"knox": None}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Cache, channel layer, Celery --------------------------------------------------------------

_redis_url = STREAMSPACE.redis_url.get_secret_value()
CACHES: dict[str, dict[str, Any]]
CHANNEL_LAYERS: dict[str, dict[str, Any]]
if STREAMSPACE.embedded:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            # Input, entry codes and counted attempts live here: by default, whoever makes 300
            # entries pushes out everybody else's.
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    }
    CHANNEL_LAYERS = {"default": {"BACKEND": "streamspace.layers.EmbeddedChannelLayer"}}
    CELERY_BROKER_URL = "memory://localhost/"
else:
    # Seconds. No page may hang on a Redis that is away: nothing in it is indispensable.
    _patience = {"socket_connect_timeout": 2, "socket_timeout": 5}
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": _redis_url,
            "KEY_PREFIX": "streamspace",
            "OPTIONS": _patience,
        }
    }
    CHANNEL_LAYERS = {
        "default": {
            # The other layer of this package drops messages above a capacity of 100.
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [{"address": _redis_url, **_patience}], "prefix": "streamspace"},
        }
    }
    CELERY_BROKER_URL = _redis_url
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_DEFAULT_QUEUE = "streamspace"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A request must not hang on a broker that is away: the controller's sweep delivers in its place.
CELERY_BROKER_TRANSPORT_OPTIONS = (
    # The in-memory broker is polled; seconds. Its default of 1 would be felt at every launch.
    {"polling_interval": 0.02}
    if STREAMSPACE.embedded
    # Without the last two, kombu waits 2 and then 4 seconds to try again.
    else {**_patience, "max_retries": 1, "interval_start": 0}
)

# --- Sign-in ------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "streamspace.accounts.adapter.ClosedRegistrationAdapter"
SOCIALACCOUNT_ADAPTER = "allauth.socialaccount.adapter.DefaultSocialAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
# There is no setting for a mail server: what allauth would send goes nowhere, instead of failing.
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key"}
ACCOUNT_SESSION_REMEMBER = None
ALLAUTH_TRUSTED_PROXY_COUNT = 0
KNOX_TOKEN_MODEL = "accounts.ApiToken"  # noqa: S105 (a model's name)
REST_KNOX = {
    "TOKEN_TTL": STREAMSPACE.token_lifetime,
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_MODEL": KNOX_TOKEN_MODEL,
    "AUTO_REFRESH": False,
}

# --- Web ----------------------------------------------------------------------------------------

# A page on <session>.localhost can set cookies for `localhost`. Names that nobody can guess (or,
# where TLS is on, the __Host- prefix) keep such cookies from ever being read as ours.
_cookie = "__Host-{}" if _secure else f"{{}}-{STREAMSPACE.installation_tag}"
SESSION_COOKIE_NAME = _cookie.format("streamspace")
SESSION_COOKIE_SECURE = _secure
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_USE_SESSIONS = True
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if _secure else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _secure else None
X_FRAME_OPTIONS = "DENY"

STATIC_URL = "/static/"
# Served from where they lie (WhiteNoise reads and indexes them at start); nothing is collected.
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = STREAMSPACE.time_zone

REST_FRAMEWORK = _api.REST_FRAMEWORK
SPECTACULAR_SETTINGS = _api.SPECTACULAR_SETTINGS
CORS_ALLOWED_ORIGINS = STREAMSPACE.cors_origins
# Scripts of other origins call with a token; the portal's cookie is never theirs to use.
CORS_ALLOW_CREDENTIALS = False
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_METHODS = ("DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT")
CORS_ALLOW_HEADERS = ("accept", "authorization", "content-type")
CORS_EXPOSE_HEADERS = ("Location", "Retry-After", "WWW-Authenticate")

LOGGING = logging_config(STREAMSPACE.log_level, STREAMSPACE.log_format)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
FORMS_URLFIELD_ASSUME_HTTPS = True
