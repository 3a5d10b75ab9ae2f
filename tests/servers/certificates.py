"""Certificates for servers on loopback, by an authority made on the spot."""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Certificates:
    """Paths of PEM files: the server's certificate and key, and the authority that a client has to trust."""

    certificate: str
    key: str
    authority: str


def certify(folder: Path) -> Certificates:
    """Make an authority, and a certificate for 127.0.0.1 and localhost, in `folder`."""
    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1", "localhost")
    files = Certificates(*(str(folder / name) for name in ("server.pem", "server.key", "authority.pem")))
    authority.cert_pem.write_to_path(files.authority)
    server.private_key_pem.write_to_path(files.key)
    server.cert_chain_pems[0].write_to_path(files.certificate)
    return files
