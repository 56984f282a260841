"""Receivers, the web server's address and their secrets: where they may come from, and that they show nowhere."""

from __future__ import annotations

import os

import pytest

URL = "    url: https://hooks.example.com/path-canary\n"
FILE = "    secret_file: ops.secret\n"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CANARY = "whsec_canarycanarycanarycanarycanarycanaryca="

SPOILED = {
    "no name": ("  - name: ops\n    url", "  - url", ["config.yaml:22: receivers[0].name: missing: expected text"]),
    "no address": (
        URL,
        "",
        ["config.yaml:22: receivers[0].url: expected either url or url_file, got neither"],
    ),
    "two addresses": (
        URL,
        URL + "    url_file: ops.secret\n",
        ["config.yaml:23: receivers[0].url: expected either url or url_file, got both"],
    ),
    "no secret": (
        FILE,
        "",
        ["config.yaml:22: receivers[0].secret_file: expected either secret_file or secret_env, got neither"],
    ),
    "a secret in the text": (
        FILE,
        f"    secret: {CANARY}\n",
        [
            "config.yaml:22: receivers[0].secret_file: expected either secret_file or secret_env, got neither",
            (
                "config.yaml:24: receivers[0].secret: unknown key: secrets are not written here: "
                "use secret_file or secret_env"
            ),
        ],
    ),
    "a secret for a path": (
        FILE,
        f"    secret_file: {CANARY}\n",
        ["config.yaml:24: receivers[0].secret_file: expected the path of a file, not the secret itself"],
    ),
    "a secret for the name of a variable": (
        FILE,
        f"    secret_env: {CANARY}\n",
        ["config.yaml:24: receivers[0].secret_env: expected the name of an environment variable"],
    ),
    "an unset variable": (
        FILE,
        "    secret_env: CANARY_UNSET\n",
        ["config.yaml:24: receivers[0].secret_env: the environment variable is not set"],
    ),
    "a variable that holds no secret": (
        FILE,
        "    secret_env: CANARY_SHORT\n",
        ["config.yaml:24: receivers[0].secret_env: the secret has 6 bytes, expected 24 to 64"],
    ),
    "plain http": (
        URL,
        "    url: http://hooks.example.com/canary\n",
        [
            "config.yaml:23: receivers[0].url: plain http is for loopback only, and only with allow_http_loopback: true",
        ],
    ),
    "plain http beyond loopback, with the switch": (
        URL,
        "    url: http://hooks.example.com/canary\n    allow_http_loopback: true\n",
        ["config.yaml:23: receivers[0].url: plain http is for loopback only"],
    ),
    "plain http in capitals": (
        URL,
        "    url: HTTP://hooks.example.com/canary\n    allow_http_loopback: true\n",
        ["config.yaml:23: receivers[0].url: plain http is for loopback only"],
    ),
    "user info": (
        URL,
        "    url: https://canary:canary@hooks.example.com/\n",
        [
            (
                "config.yaml:23: receivers[0].url: it contains user information; "
                "credentials belong in the path or in the secret"
            )
        ],
    ),
    "a private address": (
        URL,
        "    url: https://10.0.0.7/canary\n",
        ["config.yaml:23: receivers[0].url: it is a private address; allow_private: true permits that"],
    ),
    "a list for an address": (
        URL,
        "    url: [canary]\n",
        ["config.yaml:23: receivers[0].url: expected text, got a list"],
    ),
    "a blank at the end of an address": (
        URL,
        '    url: "https://hooks.example.com/canary "\n',
        [
            (
                "config.yaml:23: receivers[0].url: expected text without control characters or blanks around it, "
                "got something else"
            )
        ],
    ),
    "a switch that says yes": (
        FILE,
        FILE + "    allow_private: yes\n",
        ['config.yaml:25: receivers[0].allow_private: expected true or false, got "yes"'],
    ),
    "a missing certificate file": (
        FILE,
        FILE + "    ca_file: ca.pem\n",
        ["config.yaml:25: receivers[0].ca_file: expected a file with certificates (PEM)"],
    ),
    "a repeated name": (
        FILE,
        FILE + "  - {name: ops, url: https://hooks.example.com/canary, secret_file: ops.secret}\n",
        ['config.yaml:25: receivers[1].name: repeated receiver name "ops" (first: config.yaml:22: receivers[0])'],
    ),
    "a public address without a token": (
        "127.0.0.1:9464",
        "0.0.0.0:9464",
        ['config.yaml:25: web.listen: "0.0.0.0" is not loopback: that needs a token_file'],
    ),
    "no port": (
        "127.0.0.1:9464",
        "127.0.0.1",
        [
            (
                "config.yaml:25: web.listen: expected an address and a port such as 127.0.0.1:9464 or [::1]:9464, "
                'got "127.0.0.1"'
            )
        ],
    ),
    "a port too large": (
        "127.0.0.1:9464",
        "127.0.0.1:94640",
        [
            (
                "config.yaml:25: web.listen: expected an address and a port such as 127.0.0.1:9464 or [::1]:9464, "
                'got "127.0.0.1:94640"'
            )
        ],
    ),
    "a token in the text": (
        '"127.0.0.1:9464"',
        '"127.0.0.1:9464", token: canary',
        ["config.yaml:25: web.token: unknown key: secrets are not written here: use token_file"],
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), SPOILED.values(), ids=SPOILED)
def test_a_spoiled_receiver_is_refused_without_repeating_what_is_private(valid, problems, old, new, expected):
    """The key and what was expected are said; the value never."""
    assert old in valid
    found = problems(valid.replace(old, new), environ={"CANARY_SHORT": "whsec_Y2FuYXJ5"})
    assert found == expected
    assert "canary" not in "\n".join(found).replace("CANARY", "")


MODES = {0o600: True, 0o400: True, 0o700: True, 0o640: False, 0o604: False, 0o620: False, 0o644: False, 0o444: False}


@pytest.mark.parametrize(("mode", "accepted"), MODES.items(), ids=[f"{mode:o}" for mode in MODES])
def test_a_secret_file_belongs_to_its_owner_alone(valid, load, problems, folder, mode, accepted):
    """Group and others can neither read nor change it."""
    (folder / "ops.secret").chmod(mode)
    if accepted:
        assert load(valid).receivers[0].name == "ops"
    else:
        assert problems(valid) == [
            "config.yaml:24: receivers[0].secret_file: group or others can read or change the file: chmod 600 it"
        ]


@pytest.mark.parametrize(("mode", "accepted"), {0o440: True, 0o400: True, 0o444: False}.items())
def test_a_service_credential_may_show_its_access_list_as_group_bits(valid, load, folder, mode, accepted):
    """The service manager grants access by a list, whose mask stands where the group's bits are."""
    from monitor.errors import ConfigError

    (folder / "ops.secret").chmod(mode)
    environ = {"CREDENTIALS_DIRECTORY": str(folder)}
    if accepted:
        assert load(valid, environ=environ).receivers
    else:
        with pytest.raises(ConfigError):
            load(valid, environ=environ)


UNUSABLE = {
    "absent": (lambda path: path.unlink(), "cannot be read: No such file or directory (relative paths start at "),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "expected a regular file"),
    "a pipe": (lambda path: (path.unlink(), os.mkfifo(path, 0o600)), "expected a regular file"),
    "empty": (lambda path: path.write_text("\n"), "expected one line of ASCII text in it"),
    "two lines": (lambda path: path.write_text(f"{SECRET}\n{SECRET}\n"), "expected one line of ASCII text in it"),
    "binary": (lambda path: path.write_bytes(b"\xff\x00"), "expected one line of ASCII text in the file"),
    "too large": (lambda path: path.write_bytes(b"a" * 65537), "larger than 64 KiB: not a secret"),
    "not base64": (lambda path: path.write_text("whsec_***"), "what follows whsec_ is not base64"),
}


@pytest.mark.parametrize(("spoil", "expected"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_secret_file_is_refused(valid, problems, folder, spoil, expected):
    """It says what is wrong with the file and nothing of what is in it."""
    spoil(folder / "ops.secret")
    (found,) = problems(valid)
    assert found.startswith(f"config.yaml:24: receivers[0].secret_file: {expected}")


def test_secrets_come_from_files_and_variables_absolute_and_relative(valid, load, folder):
    """Both of a rotation, and the address too."""
    (folder / "ops.url").write_text("https://hooks.example.com/from-file\n")
    (folder / "ops.url").chmod(0o600)
    text = valid.replace(URL, f"    url_file: {folder}/ops.url\n").replace(
        FILE, "    secret_env: OPS\n    previous_secret_file: ops.secret\n"
    )
    (receiver,) = load(text, environ={"OPS": "whsec_" + "QUFB" * 8}).receivers
    assert receiver.url == "https://hooks.example.com/from-file"
    assert receiver.secret == b"AAA" * 8
    assert receiver.previous_secret is not None
    assert receiver.previous_secret != receiver.secret


def test_no_representation_of_the_settings_shows_a_secret(valid, load):
    """Logs and tracebacks print objects."""
    settings = load(valid.replace('"127.0.0.1:9464"', '"0.0.0.0:9464", token_file: web.token'))
    assert settings.web.token == "a-token-of-some-length"
    shown = repr(settings) + str(settings)
    for private in (SECRET[6:], "path-canary", "a-token", repr(settings.receivers[0].secret)):
        assert private not in shown


def test_a_short_token_is_refused(valid, problems, folder):
    """It could be guessed."""
    (folder / "web.token").write_text("short")
    assert problems(valid.replace('"127.0.0.1:9464"', '"[::]:80", token_file: web.token')) == [
        "config.yaml:25: web.token_file: the token must be at least 16 characters without blanks"
    ]


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:9464", "localhost:9464", "127.8.8.8:1"])
def test_loopback_needs_no_token(valid, load, listen):
    """The default is local."""
    assert load(valid.replace("127.0.0.1:9464", listen)).web.token is None


def test_plain_http_to_loopback_is_allowed_by_its_switch(valid, load):
    """For a receiver on the same machine."""
    text = valid.replace(URL, "    url: http://127.0.0.1:8080/x\n    allow_http_loopback: true\n")
    assert load(text).receivers[0].allow_http_loopback


def test_without_receivers_a_warning_says_where_alerts_go(valid, load):
    """It is allowed: a first try has none."""
    text = valid[: valid.index("receivers:")].replace("    mark_price: 90000\n", "")
    (warning,) = load(text).warnings
    assert warning.endswith("config.yaml:1: receivers: none configured: alerts go to the log only")
