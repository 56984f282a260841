"""TLS as this daemon speaks it: always verified, 1.2 or newer, nothing taken from the environment."""

from __future__ import annotations

import ssl
from pathlib import Path


def client_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities, or those in *ca_file* alone.

    ``ssl.create_default_context`` is not used: it writes session keys to the file that ``SSLKEYLOGFILE`` names,
    and lets ``SSL_CERT_FILE`` replace the authorities.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
        return context
    paths = ssl.get_default_verify_paths()
    cafile = paths.openssl_cafile if Path(paths.openssl_cafile).is_file() else None
    capath = paths.openssl_capath if Path(paths.openssl_capath).is_dir() else None
    if cafile or capath:
        context.load_verify_locations(cafile=cafile, capath=capath)
    else:  # a Python built for another system: only the environment can say where the authorities are
        context.load_default_certs()
    return context
