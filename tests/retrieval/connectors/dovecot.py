"""A real mail server: Dovecot, one for the whole run, with a mailbox for every name and the password "right"."""

from __future__ import annotations

import atexit
import imaplib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import pytest

PASSWORD = "right"
CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail/%u
mail_fsync = never
auth_failure_delay = 0
first_valid_uid = 1
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
  service_count = 0
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Trash {{
    auto = create
    special_use = \\Trash
  }}
}}
"""


@cache
def port() -> int:
    """Of the server, which runs from the first call on."""
    binary = shutil.which("dovecot")
    if not binary or os.getuid():
        pytest.skip("Dovecot is not here, or this is not root: apt-get install dovecot-imapd")
    folder = Path(tempfile.mkdtemp(prefix="north-dovecot-"))
    folder.chmod(0o755)
    owner = pwd.getpwnam("mail")
    (folder / "mail").mkdir()
    os.chown(folder / "mail", owner.pw_uid, owner.pw_gid)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    config = folder / "dovecot.conf"
    config.write_text(CONFIG.format(folder=folder, port=number, uid=owner.pw_uid, gid=owner.pw_gid, password=PASSWORD))
    server = subprocess.Popen([binary, "-F", "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    atexit.register(_stop, server, folder)
    for _ in range(200):
        try:
            imaplib.IMAP4("127.0.0.1", number).logout()
        except OSError:
            time.sleep(0.05)
        else:
            return number
    raise AssertionError((folder / "log").read_text())


def _stop(server: subprocess.Popen[bytes], folder: Path) -> None:
    server.terminate()
    server.wait(10)
    shutil.rmtree(folder, ignore_errors=True)


class Post:
    """A mailbox of the server, changed as a mail program would."""

    def __init__(self, user: str) -> None:
        self.imap = imaplib.IMAP4("127.0.0.1", port())
        self.imap.login(user, PASSWORD)

    def put(self, folder: str, subject: str, text: str) -> None:
        self.imap.create(folder)
        mail = f"Subject: {subject}\r\nFrom: ann@acme.example\r\n\r\n{text}"
        assert self.imap.append(folder, "", "", mail.encode())[0] == "OK"

    def remove(self, folder: str, subject: str) -> None:
        for number in self.found(folder, subject):
            self.imap.store(number, "+FLAGS", "\\Deleted")
        self.imap.expunge()
        self.imap.unselect()

    def found(self, folder: str, subject: str) -> list[str]:
        self.imap.select(folder)
        _status, said = self.imap.search(None, "SUBJECT", f'"{subject}"')
        return said[0].decode().split()
