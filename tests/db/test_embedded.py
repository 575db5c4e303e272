"""The embedded PostgreSQL with real processes: owners, joiners, heirs, and what a kill leaves behind."""

import asyncio
import fcntl
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from app import embedded
from app.embedded import DEFAULTS, EmbeddedError, running

ROOT = os.geteuid() == 0
NOBODY = 65534
HERE = Path(__file__).parents[2]
SHM = Path("/dev/shm")  # noqa: S108 (copying a thousand files is slow on disks)
MEMORY = SHM if SHM.is_dir() and shutil.disk_usage(SHM).free > 1 << 30 else None

# Says what it got and holds it until its input ends. `mortal` is for what a platform without death signals does.
HOLD = """
import sys
from pathlib import Path
from app import embedded
from app.embedded import server, user
folder, how = Path(sys.argv[1]), sys.argv[2:]
if "no-signal" in how:
    made, user.DIE_WITH_PARENT = user.wrapper_for, "import os, sys; os.execv(sys.argv[2], sys.argv[2:])"
    server.wrapper_for = lambda *a: [w for w in made(*a) if not w.startswith("--pdeathsig")]
context = embedded.running(folder, take_over="take-over" in how)
cluster = context.__enter__()
print(cluster.owner, cluster.dsn, flush=True)
if "abandon" not in how:
    sys.stdin.read()
    context.__exit__(None, None, None)
"""

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="death signals are a thing of Linux")
root_only = pytest.mark.skipif(not ROOT, reason="is about what root meets: run as root")


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        with running(Path(name)) as cluster:
            sql(cluster.dsn, "create table kept as select 1 as n")
        yield Path(name)


@pytest.fixture
def fresh() -> Iterator[Path]:
    """An empty folder that every user can reach."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        Path(name).chmod(0o755)
        yield Path(name)
        for note in Path(name).rglob("postgres.socket"):  # a killed owner leaves it
            shutil.rmtree(note.read_text(), ignore_errors=True)


@pytest.fixture
def folder(template: Path, fresh: Path) -> Path:
    """A folder with data, one table `kept` of one row, and nobody running."""
    subprocess.run(["cp", "-a", template / "postgres", fresh / "postgres"], check=True)
    return fresh


def sql(dsn: str, statement: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(dsn, timeout=5)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:  # the session's event loop is none of our business
        return thread.submit(asyncio.run, ask()).result()


def eventually(seconds: float, truth: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not truth():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def answers(dsn: str) -> bool:
    try:
        return sql(dsn, "select n from kept") == 1
    except (OSError, asyncpg.PostgresError):
        return False


def postmaster(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().split()[0])


def alive(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


@contextmanager
def process(folder: Path, *how: str, before: tuple[str, ...] = ()) -> Generator[subprocess.Popen[str]]:
    command = [*before, sys.executable, "-c", HOLD, str(folder), *how]
    with subprocess.Popen(command, cwd=HERE, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        try:
            yield started
        finally:
            if started.stdin:
                started.stdin.close()
            try:
                started.wait(10)
            finally:
                started.kill()


def said(started: subprocess.Popen[str]) -> tuple[bool, str]:
    assert started.stdout
    owner, dsn = started.stdout.readline().split()
    return owner == "True", dsn


def test_starts_cold_and_warm(fresh: Path) -> None:
    begun = time.monotonic()
    with running(fresh / "not" / "yet") as cluster:
        assert cluster.owner
        sql(cluster.dsn, "create table kept as select 1 as n")
        pid = postmaster(fresh / "not" / "yet")
    assert not alive(pid)
    with running(fresh / "not" / "yet") as again:
        assert again.dsn == cluster.dsn
        assert answers(again.dsn)
    assert time.monotonic() - begun < 15


def test_settings_reach_the_server_but_open_no_port(folder: Path) -> None:
    with running(folder, {**DEFAULTS, "work_mem": "7MB", "listen_addresses": "*"}) as cluster:
        shown = "select string_agg(setting, ' ' order by name) from pg_settings where name in ({})"
        assert sql(cluster.dsn, shown.format("'work_mem', 'jit', 'TimeZone'")) == "UTC off 7168"
        assert sql(cluster.dsn, "show listen_addresses") == ""
        assert sql(cluster.dsn, "select current_database() || current_user") == "perpstorepostgres"


async def test_starts_inside_a_running_event_loop(folder: Path) -> None:
    with running(folder) as cluster:
        connection = await asyncpg.connect(cluster.dsn)
        assert await connection.fetchval("select n from kept") == 1
        await connection.close()


def test_a_second_process_joins(folder: Path) -> None:
    with running(folder) as cluster:
        sql(cluster.dsn, "create table fresh as select 2 as n")
        with process(folder) as other:
            owner, dsn = said(other)
            assert not owner
            assert sql(dsn, "select n from fresh") == 2
        assert answers(cluster.dsn)


def test_a_joiner_in_the_same_process_joins(folder: Path) -> None:
    with running(folder) as cluster, running(folder) as joined:
        assert (cluster.owner, joined.owner) == (True, False)
        assert answers(joined.dsn)


def test_simultaneous_starters_of_a_fresh_folder_agree(fresh: Path) -> None:
    with process(fresh) as one, process(fresh) as two, process(fresh) as three:
        heard = [said(one), said(two), said(three)]
        assert sorted(owner for owner, _ in heard) == [False, False, True]
        assert len({sql(dsn, "select system_identifier from pg_control_system()") for _, dsn in heard}) == 1


@linux_only
def test_the_server_dies_with_a_killed_owner_and_recovers(folder: Path) -> None:
    with process(folder) as owner:
        _, dsn = said(owner)
        pid = postmaster(folder)
        sql(dsn, "insert into kept select 2 where pg_sleep(0) is not null")
        owner.kill()
        assert eventually(2, lambda: not alive(pid))
    with running(folder) as cluster:
        assert cluster.owner
        assert sql(cluster.dsn, "select sum(n) from kept") == 3


def test_a_server_that_outlived_its_owner_is_replaced(folder: Path) -> None:
    with process(folder, "no-signal") as owner:
        said(owner)
        pid = postmaster(folder)
        owner.kill()
        owner.wait()
    time.sleep(0.3)
    assert alive(pid)
    with running(folder) as cluster:
        assert not alive(pid)
        assert postmaster(folder) != pid
        assert answers(cluster.dsn)


def test_a_reused_pid_and_stale_socket_files_fool_nobody(folder: Path) -> None:
    with running(folder) as cluster:
        socket_folder = Path((folder / "postgres.socket").read_text())
    with subprocess.Popen(["sleep", "60"], user=NOBODY if ROOT else None) as stranger:
        (folder / "postgres" / "postmaster.pid").write_text(f"{stranger.pid}\n{folder}/postgres\n1\n5432\n")
        socket_folder.mkdir(0o700)
        (socket_folder / ".s.PGSQL.5432").touch()
        (socket_folder / ".s.PGSQL.5432.lock").write_text(f"{stranger.pid}\n")
        with running(folder) as again:
            assert again.dsn == cluster.dsn
            assert answers(again.dsn)
        assert stranger.poll() is None
        stranger.kill()


def test_a_socket_folder_others_can_reach_is_not_used(folder: Path) -> None:
    with running(folder) as cluster:
        socket_folder = Path((folder / "postgres.socket").read_text())
    socket_folder.mkdir()
    socket_folder.chmod(0o777)
    with running(folder) as again:
        assert again.dsn != cluster.dsn
    socket_folder.rmdir()


def test_an_heir_takes_over_on_the_same_address(folder: Path) -> None:
    with process(folder) as owner:
        said(owner)
        with running(folder, take_over=True) as heir:
            assert not heir.owner
            owner.kill()
            owner.wait()
            assert eventually(8, lambda: answers(heir.dsn))
            with process(folder) as other:
                assert said(other) == (False, heir.dsn)
            pid = postmaster(folder)
        assert not alive(pid)


def test_an_heir_follows_an_owner_that_leaves(folder: Path) -> None:
    with process(folder, "take-over") as heir, running(folder) as joined:
        _, dsn = said(heir)
    with process(folder) as owner:
        said(owner)
        with process(folder, "take-over") as heir:
            assert said(heir) == (False, joined.dsn)
            owner.communicate()
            assert eventually(8, lambda: answers(dsn))


def test_a_killed_server_is_started_again(folder: Path) -> None:
    with running(folder) as cluster:
        os.kill(pid := postmaster(folder), signal.SIGKILL)
        assert eventually(8, lambda: answers(cluster.dsn) and postmaster(folder) != pid)


def test_a_server_that_keeps_dying_is_given_up(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running(folder) as cluster:
        for _ in range(embedded.CRASHES - 1):
            os.kill(pid := postmaster(folder), signal.SIGKILL)
            assert eventually(8, lambda killed=pid: answers(cluster.dsn) and postmaster(folder) != killed)
        os.kill(postmaster(folder), signal.SIGKILL)
        assert eventually(8, lambda: "given up" in caplog.text)
    assert [r.levelno for r in caplog.records] == [logging.ERROR, logging.ERROR, logging.CRITICAL]
    with running(folder) as cluster:
        assert answers(cluster.dsn)


def test_broken_data_say_so(folder: Path) -> None:
    (folder / "postgres" / "global" / "pg_control").unlink()
    with pytest.raises(EmbeddedError, match=r"did not start(.|\n)*DATABASE_URL(.|\n)*pg_control"), running(folder):
        pass


@pytest.mark.parametrize("files", [{"PG_VERSION": "17"}, {"stranger.txt": "mine"}])
def test_data_that_are_not_ours_are_left_alone(fresh: Path, files: dict[str, str]) -> None:
    (fresh / "postgres").mkdir()
    for name, text in files.items():
        (fresh / "postgres" / name).write_text(text)
    with pytest.raises(EmbeddedError, match="holds no data of PostgreSQL 18"), running(fresh):
        pass
    assert {path.name: path.read_text() for path in (fresh / "postgres").iterdir()} == files


def test_an_initdb_killed_half_way_leaves_nothing_broken(fresh: Path) -> None:
    with process(fresh) as starter:
        assert eventually(5, lambda: any(fresh.glob("postgres.init-*/base")))
        starter.kill()
        starter.wait()
    assert not (fresh / "postgres").exists()
    with running(fresh) as cluster:
        assert sql(cluster.dsn, "select 1") == 1
    assert not list(fresh.glob("postgres.init-*"))


def test_a_lock_without_a_server_ends_in_a_clear_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "JOIN_SECONDS", 0.3)
    with (folder / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(EmbeddedError, match=r"does not answer. Find that process with `lsof"), running(folder):
            pass


def test_a_context_never_left_lets_the_interpreter_end(folder: Path) -> None:
    with process(folder, "abandon") as owner:
        said(owner)
        assert eventually(5, lambda: owner.poll() == 0)
    assert not (folder / "postgres" / "postmaster.pid").exists()


def test_an_error_inside_passes_and_stops_the_server(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), running(folder):
        raise ZeroDivisionError
    assert not (folder / "postgres" / "postmaster.pid").exists()


@root_only
@linux_only
def test_root_runs_the_server_as_nobody_behind_closed_doors(folder: Path) -> None:
    folder.chmod(0o700)
    with process(folder) as owner:
        _, dsn = said(owner)
        status = Path(f"/proc/{(pid := postmaster(folder))}/status").read_text().split()
        assert status[status.index("Uid:") + 1] == str(NOBODY)
        assert int(status[status.index("CapEff:") + 1], 16) in (1 << 1, 1 << 2)
        assert answers(dsn)
        owner.kill()
        assert eventually(2, lambda: not alive(pid))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert folder.stat().st_uid == 0


@root_only
def test_root_runs_the_server_as_the_owner_of_the_data(folder: Path) -> None:
    for path in (folder / "postgres", *(folder / "postgres").rglob("*")):
        os.chown(path, 12345, 12345)
    with running(folder) as cluster:
        assert answers(cluster.dsn)
        assert (folder / "postgres" / "postmaster.pid").stat().st_uid == 12345


@root_only
def test_root_takes_a_copy_it_made_itself(folder: Path) -> None:
    for path in (folder / "postgres", *(folder / "postgres").rglob("*")):
        os.chown(path, 0, 0)
    with running(folder) as cluster:
        assert answers(cluster.dsn)


@root_only
def test_root_without_setpriv_is_told_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EmbeddedError, match="another user, install util-linux or set DATABASE_URL"), running(folder):
        pass


def as_nobody() -> tuple[str, ...]:
    """`setpriv` to `nobody`; with the right to read everything where this Python itself lies behind closed doors."""
    plain = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    reading = (*plain, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    again = "import asyncpg, subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"
    for before in (plain, reading):
        if not subprocess.run([*before, sys.executable, "-c", again], capture_output=True).returncode:
            return before
    pytest.skip("`nobody` cannot run this Python")


@root_only
@linux_only
def test_an_ordinary_user_needs_no_help(fresh: Path) -> None:
    os.chown(fresh, NOBODY, NOBODY)
    with process(fresh, before=as_nobody()) as owner:
        _, dsn = said(owner)
        assert sql(dsn, "select 1") == 1
        pid = postmaster(fresh)
        owner.kill()
        assert eventually(2, lambda: not alive(pid))
    with process(fresh, before=as_nobody()) as owner:
        assert said(owner)[0]


@root_only
def test_another_users_folder_is_a_clear_error(folder: Path) -> None:
    with (
        running(folder),
        subprocess.Popen(
            [*as_nobody(), sys.executable, "-c", HOLD, str(folder)], cwd=HERE, text=True, stderr=subprocess.PIPE
        ) as stranger,
    ):
        _, errors = stranger.communicate(timeout=10)
    assert "EmbeddedError: [Errno 13] Permission denied" in errors
    assert "Mend that, run as the user who owns it or set DATABASE_URL" in errors
