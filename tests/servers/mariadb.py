"""Launch MariaDB."""

import os
from pathlib import Path

from tests.servers.database import PASSWORD, USER, Database
from tests.servers.finding import Program
from tests.servers.process import HOST, StartError

# `loose`: a version that lacks the option goes on without it.
SETTINGS = [
    "--skip-log-bin",
    "--skip-name-resolve",
    "--character-set-server=utf8mb4",
    "--max-allowed-packet=32M",
    "--innodb-buffer-pool-size=16M",
    "--innodb-log-file-size=4M",
    "--innodb-flush-log-at-trx-commit=2",  # to the system at each commit: SIGKILL loses nothing
    "--innodb-use-native-aio=0",  # machines have few, and this one needs none
    "--loose-innodb-flush-method=nosync",
    "--loose-innodb-doublewrite=0",
    "--key-buffer-size=1M",
    "--aria-pagecache-buffer-size=1M",
    "--performance-schema=0",
]
SCRIPTS = ("system_tables.sql", "system_tables_data.sql")


class MariaDB(Database):
    """A MariaDB of our own, which forgets nothing when killed but what a power failure would take.

    `extra` are command line words such as `"--max-connections=10"`.
    """

    program = "mariadbd"
    scheme = "mysql"
    database = "tests"

    def make_data(self, program: Program, work: Path) -> None:
        """Feed it the scripts that mariadb-install-db feeds it."""
        (work / "root").mkdir(mode=0o700)
        words = [program.path, *self._common(program, work / "root"), "--bootstrap"]
        self.make(program, words, told="\n".join([_system_tables(program), *_USER_TABLES]))

    def command(self) -> list[str]:
        """Serve loopback, and a unix socket that nobody asks for."""
        where = [f"--bind-address={HOST}", f"--port={self.port}", f"--socket={self.folder / 'mariadb.sock'}"]
        return [*self._common(self.find(), self.data), *where, *self._extra]

    def is_ready(self) -> bool:
        """Read its own log: it ends if it cannot bind, so this line is told by none but the listening process."""
        return "ready for connections" in self.log()

    def _common(self, program: Program, data: Path) -> list[str]:
        """No file of the system's is heeded; root has to be named."""
        places = ["--no-defaults", f"--basedir={_base(program)}", f"--datadir={data}", f"--tmpdir={self.folder}"]
        user = ["--user=root"] if os.geteuid() == 0 else []
        return [*places, f"--pid-file={self.folder / 'mariadb.pid'}", *user, *SETTINGS]


_USER_TABLES = [
    "FLUSH PRIVILEGES;",  # heed them from here on
    f"CREATE DATABASE {MariaDB.database};",
    f"CREATE USER '{USER}'@'{HOST}' IDENTIFIED BY '{PASSWORD}';",
    f"GRANT ALL ON *.* TO '{USER}'@'{HOST}';",
    "",
]


def _base(program: Program) -> Path:
    """The folder above `sbin`, which has `share` too."""
    return Path(program.path).resolve().parents[1]


def _system_tables(program: Program) -> str:
    """The SQL that makes the tables of users and rights."""
    scripts = [path for name in SCRIPTS for path in sorted(_base(program).glob(f"share/*/m*_{name}"))]
    if len(scripts) != len(SCRIPTS):
        raise StartError(f"{program.path} has no {' and '.join(SCRIPTS)} in {_base(program) / 'share'}")
    start = ["CREATE DATABASE mysql;", "USE mysql;", "SET @auth_root_socket=NULL;"]  # a statement per line
    return "\n".join([*start, *(script.read_text() for script in scripts)])
