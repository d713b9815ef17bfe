"""``.ci/setup.py``: nothing twice, nothing half, and a precise word where it cannot help."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, about a folder of its own, without a network."""
    spec = importlib.util.spec_from_file_location("ci_setup", ROOT / ".ci" / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "requirements.txt").write_text("nothing==1\n")
    for name, path in {
        "ROOT": ".",
        "CACHE": ".cache",
        "STAMPS": ".cache/stamps",
        "LOG": ".cache/setup.log",
        "VENV": ".venv",
    }.items():
        monkeypatch.setattr(module, name, tmp_path / path)
    monkeypatch.setattr(module, "IN_CI", False)
    (tmp_path / ".cache").mkdir()
    return module


class Commands:
    """Stands for the shell: makes the environment's files, installs nothing, keeps count."""

    def __init__(self, setup: ModuleType) -> None:
        self.setup = setup
        self.said: list[str] = []
        self.fails_at = ""
        self.interrupted_at = ""
        self.uv: Path | None = None

    def __call__(self, *argv: str | Path, env: dict[str, str] | None = None) -> bool:
        command = " ".join(map(str, argv))
        self.said.append(command)
        if "-m venv" in command:
            folder = Path(argv[-1])
            shutil.rmtree(folder, ignore_errors=True)
            (folder / "bin").mkdir(parents=True)
            (folder / "bin" / "python").touch()
            (folder / "pyvenv.cfg").touch()
        if self.interrupted_at and self.interrupted_at in command:
            raise KeyboardInterrupt
        return not (self.fails_at and self.fails_at in command)

    def count(self, words: str) -> int:
        return sum(words in command for command in self.said)


@pytest.fixture
def commands(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Commands:
    stand_in = Commands(setup)
    monkeypatch.setattr(setup, "sh", stand_in)
    monkeypatch.setattr(setup, "fast_installer", lambda venv: stand_in.uv)
    return stand_in


def install(setup: ModuleType) -> None:
    setup.packages(setup.VENV, "requirements.txt", "Python packages")


def test_a_second_set_up_does_nothing_and_says_nothing(
    setup: ModuleType, commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    install(setup)
    before = list(commands.said)
    capsys.readouterr()
    install(setup)
    assert commands.said == before
    assert capsys.readouterr().out == ""


def test_changed_requirements_are_installed(setup: ModuleType, commands: Commands) -> None:
    install(setup)
    (setup.ROOT / "requirements.txt").write_text("nothing==2\n")
    install(setup)
    assert commands.count("pip install") == 2
    assert commands.count("-m venv") == 1


def test_a_failed_step_is_done_again(setup: ModuleType, commands: Commands) -> None:
    commands.fails_at = "pip install"
    with pytest.raises(setup.SetupError, match="Check the network"):
        install(setup)
    commands.fails_at = ""
    install(setup)
    assert commands.count("pip install") == 2
    assert commands.count("-m venv") == 1


def test_pip_steps_in_where_uv_fails(setup: ModuleType, commands: Commands) -> None:
    commands.uv = Path("uv")
    commands.fails_at = "uv pip install"
    install(setup)
    assert commands.count("uv pip install") == 1
    assert commands.count("-m pip install") == 1


def test_where_uv_succeeds_pip_has_nothing_to_do(setup: ModuleType, commands: Commands) -> None:
    commands.uv = Path("uv")
    install(setup)
    assert commands.count("-m pip install") == 0


def test_an_interrupted_installation_starts_from_a_new_environment(
    setup: ModuleType, commands: Commands
) -> None:
    commands.interrupted_at = "pip install"
    with pytest.raises(KeyboardInterrupt):
        install(setup)
    commands.interrupted_at = ""
    install(setup)
    assert commands.count("-m venv") == 2
    install(setup)
    assert commands.count("pip install") == 2


def test_an_environment_whose_python_is_gone_is_made_anew(
    setup: ModuleType, commands: Commands
) -> None:
    install(setup)
    (setup.VENV / "bin" / "python").unlink()
    install(setup)
    assert commands.count("-m venv") == 2
    assert commands.count("pip install") == 2


NOWHERE = {"no-such-package": "no-such-program"}


def test_a_program_that_cannot_be_installed_is_named_and_the_rest_goes_on(
    setup: ModuleType, commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    setup.programs(NOWHERE, "desktop programs", "Going on without them.")
    said = capsys.readouterr().out
    assert "no-such-package ... not installed" in said
    assert "Going on without them." in said


def test_in_ci_a_program_that_cannot_be_installed_is_an_error(
    setup: ModuleType, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "IN_CI", True)
    with pytest.raises(setup.SetupError, match="no-such-package could not be installed"):
        setup.programs(NOWHERE, "desktop programs", "Going on without them.")


def test_package_lists_are_updated_only_when_the_installation_fails(
    setup: ModuleType, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, **_: f"/usr/bin/{name}")
    assert setup.apt_install(["xterm"])
    assert commands.count("update") == 0
    commands.fails_at = "xterm"
    assert not setup.apt_install(["xterm"])
    assert commands.count("update") == 1


def test_without_root_or_sudo_nothing_is_tried(
    setup: ModuleType, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, **_: f"/usr/bin/{name}")
    monkeypatch.setattr(setup.os, "geteuid", lambda: 1000)
    commands.fails_at = "sudo -n true"
    assert not setup.apt_install(["xterm"])
    assert commands.count("apt-get") == 0


def test_an_unknown_command_prints_the_usage_and_fails() -> None:
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, ".ci/setup.py", "frobnicate"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "run | check | test | apps" in done.stderr
    assert time.monotonic() - started < 5
