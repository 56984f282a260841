"""``receivers`` and ``web``: where alerts go and where figures are served, with the secrets both need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from monitor.config.places import Place, show
from monitor.config.private import read_private_file, read_variable
from monitor.config.schema import Section
from monitor.config.settings import Web
from monitor.config.urls import MAX_URL, check_receiver_url, is_loopback, split_listen
from monitor.delivery.settings import ReceiverSettings
from monitor.delivery.signing import parse_secret

MIN_TOKEN = 16

Value = TypeVar("Value")

_HINTS = dict.fromkeys(("secret", "token", "password"), "secrets are not written here: use secret_file or secret_env")


def read_receivers(root: Section, base: Path, environ: Mapping[str, str]) -> tuple[ReceiverSettings, ...]:
    """Return the receivers; files are looked for from *base* on."""
    receivers: list[ReceiverSettings] = []
    names: dict[str, Place] = {}
    for section in root.sections("receivers") or ():
        name = section.text("name", needed=True) or ""
        if name and names.setdefault(name, section.place) is not section.place:
            section.note(section.place_of("name"), f"repeated receiver name {show(name)} (first: {names[name]})")
        http_loopback = section.flag("allow_http_loopback")
        allow_private = section.flag("allow_private")
        url = _url(section, base, environ, http_loopback=http_loopback, allow_private=allow_private)
        secret = _secret(section, "secret", base, environ, needed=True)
        previous = _secret(section, "previous_secret", base, environ, needed=False)
        ca_file = _ca_file(section, base)
        section.done(_HINTS)
        if url is not None and secret is not None:
            receivers.append(
                ReceiverSettings(
                    name=name,
                    url=url,
                    secret=secret,
                    previous_secret=previous,
                    allow_http_loopback=http_loopback,
                    allow_private=allow_private,
                    ca_file=ca_file,
                )
            )
    return tuple(receivers)


def _url(
    section: Section, base: Path, environ: Mapping[str, str], *, http_loopback: bool, allow_private: bool
) -> str | None:
    key = _one_key(section, "url", "url_file", needed=True)
    if key is None:
        return None
    text = section.text(key, most=MAX_URL, private=True)
    if text is None:
        return None

    def read() -> str:
        url = read_private_file(text, base, environ) if key == "url_file" else text
        return check_receiver_url(url, allow_http_loopback=http_loopback, allow_private=allow_private)

    return _noting(section, key, read)


def _secret(section: Section, key: str, base: Path, environ: Mapping[str, str], *, needed: bool) -> bytes | None:
    chosen = _one_key(section, f"{key}_file", f"{key}_env", needed=needed)
    if chosen is None:
        return None
    text = section.text(chosen, most=MAX_URL, private=True)
    if text is None:
        return None

    def read() -> bytes:
        from_file = chosen.endswith("_file")
        return parse_secret(read_private_file(text, base, environ) if from_file else read_variable(text, environ))

    return _noting(section, chosen, read)


def _ca_file(section: Section, base: Path) -> Path | None:
    """Return the file with the certificates that this receiver is verified by, instead of the system's."""
    text = section.text("ca_file", most=MAX_URL)
    if text is None:
        return None
    path = base / text
    if not path.is_file():
        section.note(section.place_of("ca_file"), "expected a file with certificates (PEM)")
    return path


def read_web(section: Section | None, base: Path, environ: Mapping[str, str]) -> Web:
    """Return where to serve. Any address but loopback needs a token."""
    if section is None:
        return Web()
    web = Web()
    host, port = web.host, web.port
    listen = section.text("listen")
    token_file = section.text("token_file", most=MAX_URL, private=True)
    section.done({"token": "secrets are not written here: use token_file"})
    if listen is not None:
        try:
            host, port = split_listen(listen)
        except ValueError as error:
            section.note(section.place_of("listen"), f"{error}, got {show(listen)}")
    if not is_loopback(host) and "token_file" not in section:
        section.note(section.place_of("listen"), f"{show(host)} is not loopback: that needs a token_file")
    if token_file is None:
        return Web(host, port)
    return Web(host, port, _noting(section, "token_file", lambda: _token(token_file, base, environ)))


def _token(token_file: str, base: Path, environ: Mapping[str, str]) -> str:
    token = read_private_file(token_file, base, environ)
    if len(token) < MIN_TOKEN or " " in token:
        raise ValueError(f"the token must be at least {MIN_TOKEN} characters without blanks")
    return token


def _one_key(section: Section, first: str, second: str, *, needed: bool) -> str | None:
    """Return which of two keys is there; note where it is both, or neither although one is *needed*."""
    given = section.given(first, second)
    if len(given) == 2 or (needed and not given):
        got = "both" if given else "neither"
        section.note(section.place_of(first), f"expected either {first} or {second}, got {got}")
        return None
    return given[0] if given else None


def _noting(section: Section, key: str, read: Callable[[], Value]) -> Value | None:
    """Return what *read* returns, None after noting at *key* why it could not."""
    try:
        return read()
    except ValueError as error:
        section.note(section.place_of(key), str(error))
        return None
