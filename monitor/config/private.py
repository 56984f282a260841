"""Secrets: from files that only their owner can read, or from the environment; never from the configuration's text.

No problem said here quotes what was read, or a path that could itself be a misplaced secret.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from monitor.delivery.signing import PREFIX

MAX_BYTES = 64 << 10

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def read_private_file(text: str, base: Path, environ: Mapping[str, str]) -> str:
    """Return the text of a secret file, without the line end. Raises ``ValueError`` in words.

    *text* is its path, relative to *base*. It must be a regular file of at most 64 KiB that its group and others
    can neither read nor change; the service manager's credentials directory guards its files in its own way.
    """
    if PREFIX in text or "://" in text:
        raise ValueError("expected the path of a file, not the secret itself")
    path = base / text
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = os.fstat(handle).st_mode
            data = os.read(handle, MAX_BYTES + 1) if stat.S_ISREG(mode) else b""
        finally:
            os.close(handle)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror} (relative paths start at {base})") from None
    if not stat.S_ISREG(mode):
        raise ValueError("expected a regular file")
    if mode & (0o006 if _is_credential(path, environ) else 0o066):
        raise ValueError("group or others can read or change the file: chmod 600 it")
    if len(data) > MAX_BYTES:
        raise ValueError("larger than 64 KiB: not a secret")
    try:
        return _checked(data.decode("ascii"))
    except UnicodeDecodeError:
        raise ValueError("expected one line of ASCII text in the file") from None


def read_variable(name: str, environ: Mapping[str, str]) -> str:
    """Return the secret in the environment variable *name*. Raises ``ValueError`` in words."""
    if name.startswith(PREFIX) or _VARIABLE.fullmatch(name) is None:
        raise ValueError("expected the name of an environment variable")
    if name not in environ:
        raise ValueError("the environment variable is not set")
    return _checked(environ[name])


def _checked(text: str) -> str:
    text = text.strip()
    if not text or not text.isascii() or not text.isprintable():
        raise ValueError("expected one line of ASCII text in it")
    return text


def _is_credential(path: Path, environ: Mapping[str, str]) -> bool:
    directory = environ.get("CREDENTIALS_DIRECTORY")
    return bool(directory) and path.parent == Path(str(directory))
