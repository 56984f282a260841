"""What is secret stays so: the signing secret, and the receiver's address, which may itself be one (S-04)."""

import asyncio
import base64
import os
import secrets
from pathlib import Path

from monitor.sim.receiver import Reaction


async def test_secret_and_hook_address_appear_nowhere(stage, short, short_at, eventually):
    """Not in output, log, pages, store or process list; while delivering and while failing."""
    key, canary = os.urandom(32), secrets.token_hex(16)
    secret = stage.folder / "webhook.secret"
    secret.write_text("whsec_" + base64.b64encode(key).decode(), encoding="ascii")
    address = f"{stage.receiver.url}/{canary}?token={canary}"
    hook = {"name": "hook", "url": address, "secret_file": "webhook.secret", "allow_http_loopback": True}
    moved = Reaction(status=302, headers={"Location": f"{address}&from=there"})
    stage.receiver.react(Reaction(status=500), Reaction(), Reaction(), moved)
    daemon = stage.start(stage.configure(short, receivers=[hook], log={"level": "debug"}))
    await daemon.ready()
    pages = []
    for level in ("warning", "critical", "liquidation"):
        stage.move("BTCUSDT", short_at[level])
        await eventually(lambda lv=level: stage.heard(level=lv))
        pages += [(await daemon.get(path))[1] for path in ("/metrics", "/-/ready", "/-/healthy", "/")]
    await eventually(lambda: len(daemon.log("delivery.failed")) == 2)
    arguments = await asyncio.to_thread(Path(f"/proc/{daemon.process.pid}/cmdline").read_bytes)
    daemon.kill()

    shown = {path.name: path.read_bytes() for path in stage.store.parent.iterdir()}
    shown |= {"stdout": daemon.out.read_bytes(), "stderr": daemon.err.read_bytes()}
    shown |= {"pages": "".join(pages).encode(), "process list": arguments}
    assert stage.store.name in shown
    assert b"delivery.failed" in shown["stderr"]
    for what in (canary.encode(), key, base64.b64encode(key)):
        assert [name for name, text in shown.items() if what in text] == []


async def test_store_files_are_for_their_owner_only(stage, short):
    daemon = stage.start(stage.configure(short))
    await daemon.ready()
    assert stage.store.parent.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in stage.store.parent.iterdir()}
    assert set(modes.values()) == {0o600}, modes
