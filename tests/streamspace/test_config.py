"""The configuration: what a typing error, a bad value and a secret file lead to."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamspace.config import (
    Config,
    ConfigError,
    format_duration,
    load,
    parse_duration,
    variables,
)

KEY = "k" * 40
SECRETS = sorted(n for n, f in variables().items() if "SecretStr" in str(f.annotation))


def loaded(**environ: str) -> Config:
    return load({"STREAMSPACE_SECRET_KEY": KEY, **environ})


def refusal(**environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(**environ)
    return str(caught.value)


def test_defaults_are_the_embedded_installation() -> None:
    config = loaded()
    assert config.embedded
    assert config.db_host == ""
    assert config.portal_origin == "http://localhost:8000"


def test_a_misspelt_variable_stops_the_start_and_hints_at_the_right_one() -> None:
    message = refusal(STREAMSPACE_IDLE_TIMOUT="10m")
    assert message.startswith("STREAMSPACE_IDLE_TIMOUT is not a setting")
    assert "did you mean STREAMSPACE_IDLE_TIMEOUT?" in message


def test_an_unknown_variable_without_a_near_one_names_the_reference() -> None:
    message = refusal(STREAMSPACE_ZZZZZZZZZZZZZZZZZZZZZZZZ="1")
    assert "did you mean" not in message
    assert "docs/reference/configuration.md" in message


def test_variables_of_other_programs_are_none_of_our_business() -> None:
    assert loaded(HOME="/nowhere", DB_ENGINE="oracle", PATH="").db_host == ""


def test_the_test_suite_has_its_own_variables() -> None:
    assert loaded(STREAMSPACE_TEST_DB="postgres").db_host == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STREAMSPACE_PORT", "http"),
        ("STREAMSPACE_PORT", "0"),
        ("STREAMSPACE_PORT", "65536"),
        ("DB_PORT", ""),
        ("DB_SSLMODE", "maybe"),
        ("STREAMSPACE_DEBUG", "perhaps"),
        ("STREAMSPACE_RUNTIME", "docker"),
        ("STREAMSPACE_LOG_LEVEL", "info"),
        ("STREAMSPACE_IDLE_TIMEOUT", "30"),
        ("STREAMSPACE_IDLE_TIMEOUT", "-5m"),
        ("STREAMSPACE_IDLE_TIMEOUT", "30s"),
        ("STREAMSPACE_IDLE_TIMEOUT", "99999999999d"),
        ("STREAMSPACE_TOKEN_LIFETIME", "0s"),
        ("STREAMSPACE_WORKER_THREADS", "0"),
        ("STREAMSPACE_HOME_SIZE", "10Gi"),
        ("STREAMSPACE_PORTAL_URL", "localhost:8000"),
        ("STREAMSPACE_PORTAL_URL", "https://portal.example.org/streamspace"),
        ("STREAMSPACE_HOST", "0.0.0.0"),
    ],
)
def test_a_bad_value_stops_the_start_with_one_line_that_names_it(name: str, value: str) -> None:
    message = refusal(**{name: value})
    assert message.startswith(f"{name}: ")
    assert "\n" not in message


def test_a_short_key_is_refused_without_showing_it() -> None:
    message = refusal(STREAMSPACE_SECRET_KEY="too-short-a-secret")
    assert "at least 32 characters" in message
    assert "too-short-a-secret" not in message


def test_postgresql_needs_a_key_that_replicas_can_share(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be set when DB_HOST is"):
        load({"DB_HOST": "db", "STREAMSPACE_DATA_DIR": str(tmp_path)})


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_can_come_from_a_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(KEY + "\n")
    config = load({"STREAMSPACE_SECRET_KEY_FILE": str(path), f"{name}_FILE": str(path)})
    field = next(key for key, f in Config.model_fields.items() if f.alias == name)
    assert getattr(config, field).get_secret_value() == KEY


def test_the_variable_itself_wins_over_its_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("from the file")
    config = loaded(DB_PASSWORD="direct", DB_PASSWORD_FILE=str(path))
    assert config.db_password.get_secret_value() == "direct"


def test_an_unreadable_secret_file_is_named(tmp_path: Path) -> None:
    message = refusal(DB_PASSWORD_FILE=str(tmp_path / "absent"))
    assert message.startswith("DB_PASSWORD_FILE: cannot read ")


def test_what_is_no_secret_has_no_file_variant(tmp_path: Path) -> None:
    assert "is not a setting" in refusal(STREAMSPACE_PORT_FILE=str(tmp_path))


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_do_not_show_when_the_configuration_is_printed(name: str) -> None:
    secret = "a-value-that-nobody-may-read-0123456789"
    config = loaded(**{name: secret})
    assert secret not in f"{config!r} {config} {config.model_dump_json()}"


def test_the_embedded_default_makes_its_key_once_and_keeps_it_to_itself(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    first, second = (load({"STREAMSPACE_DATA_DIR": str(folder)}) for _ in range(2))
    assert first.secret_key == second.secret_key
    assert len(first.secret_key.get_secret_value()) >= 32
    assert (folder / "secret-key").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_key_file_left_empty_by_an_interruption_is_filled(tmp_path: Path) -> None:
    (tmp_path / "secret-key").touch(mode=0o600)
    assert load({"STREAMSPACE_DATA_DIR": str(tmp_path)}).secret_key.get_secret_value()


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"^STREAMSPACE_DATA_DIR: "):
        load({"STREAMSPACE_DATA_DIR": str(tmp_path / "file" / "data")})


def test_lists_are_separated_by_commas_and_forgive_spaces() -> None:
    config = loaded(CORS_ORIGINS=" https://a.example , https://b.example,")
    assert config.cors_origins == ("https://a.example", "https://b.example")


@pytest.mark.parametrize("text", ["", "5", "m5", "1.5h", "1h 30m", "h", "5w", "-1s", "１h½"])
def test_what_is_not_a_duration_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape("write for example 90s, 30m, 1h30m or 2d")):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_duration_reads_back_as_it_was_written(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert parse_duration(format_duration(duration)) == duration


def test_installations_have_different_tags_and_keep_their_own() -> None:
    assert loaded().installation_tag == loaded().installation_tag
    assert loaded(STREAMSPACE_SECRET_KEY="x" * 40).installation_tag != loaded().installation_tag
