"""Launch nginx with a configuration as it stands in the documentation."""

import re
import socket

from tests.servers.process import HOST, Server

_SETTINGS = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr notice;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxied;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    {sites}
}}
"""


class Nginx(Server):
    """An nginx of our own, in one process: no worker outlives a kill.

    Args:
        sites: what belongs between the braces of `http`. Whatever it listens on becomes this server's port, and
            `/var/cache/nginx` a folder of its own.
        origin: what takes the place of the address of the app, `127.0.0.1:8000`.
    """

    program = "nginx"

    def __init__(self, sites: str, origin: str) -> None:
        super().__init__()
        self._sites = sites.replace("127.0.0.1:8000", origin)

    def command(self) -> list[str]:
        """Serve loopback, with all files in a folder of its own."""
        sites = re.sub(r"listen [^;]+;", f"listen {self.address};", self._sites)
        sites = sites.replace("/var/cache/nginx", str(self.folder / "store"))
        (self.folder / "nginx.conf").write_text(_SETTINGS.format(sites=sites))
        return ["-p", str(self.folder), "-c", "nginx.conf", "-e", "stderr"]

    def is_ready(self) -> bool:
        """Knock; it writes its process id once it listens, and ends if it cannot."""
        told = self.folder / "nginx.pid"
        if not told.exists() or told.read_text().strip() != str(self.pid):
            return False
        with socket.create_connection((HOST, self.port), timeout=1):
            return True
