"""TLS: verified, 1.2 or newer, and nothing from the environment."""

import ssl

from monitor.net.tls import client_context


def test_certificate_and_host_name_are_verified_and_old_versions_refused():
    context = client_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_key_log_variable_has_no_effect(monkeypatch, tmp_path):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert ssl.create_default_context().keylog_filename is not None, "the standard way would log them"
    assert client_context().keylog_filename is None
