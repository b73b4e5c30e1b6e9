"""Hosts that take SSH, on this machine: nothing outside their folder is touched.

Each is an SSH server with a port, a key and a name of its own, which it tells all its sessions.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

import slurm

PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"

needs_sshd = pytest.mark.skipif(
    # Where tests must be complete, its absence is a failure.
    not all(shutil.which(name, path=PATH) for name in ("sshd", "ssh", "ssh-keygen"))
    and os.environ.get("CI") != "true",
    reason="no SSH server is installed: make sshd",
)

SERVER = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/{name}.key
PidFile none
AuthorizedKeysFile {folder}/user.key.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
SetEnv OCTFLOW_NODE={name} LAB={folder} HOME={folder} TMPDIR={folder}
"""


@dataclass
class Lab:
    """Servers below a folder, and the file that lists them as auxiliary hosts."""

    folder: Path
    ports: dict[str, int]
    servers: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def environment(self):
        return os.environ | {"OCTFLOW_HOSTS": str(self.folder / "hosts.yaml")}

    def start(self, name):
        """Start a server in the foreground, so that its process id is known."""
        program = shutil.which("sshd", path=PATH)
        command = [program, "-D", "-e", "-f", str(self.folder / f"{name}.conf")]
        with (self.folder / f"{name}.log").open("a") as log:
            self.servers[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._wait(name)

    def _wait(self, name, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.servers[name].poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.ports[name])):
                return
            time.sleep(0.02)
        raise TimeoutError((self.folder / f"{name}.log").read_text())

    def cut(self, name):
        """Take a host off the network; what runs on it goes on."""
        self.servers[name].kill()
        self.servers[name].wait()

    def cut_power(self, name):
        """End a host and everything that runs on it, at once and without a word."""
        self.cut(name)
        while running := list(self.processes(name)):
            for pid in running:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def halt(self, name, word):
        """Stop processes of a host, so that their job can only be ended by force."""
        for pid in self.processes(name, word):
            os.kill(pid, signal.SIGSTOP)

    def processes(self, name, word=""):
        """Find the processes that run on a host, with a word in their command."""
        return slurm.processes(self.folder, f"OCTFLOW_NODE={name}", word)

    def busy(self, word):
        """Find the hosts that run a process with a word in its command."""
        return [name for name in self.ports if any(self.processes(name, word))]

    def wait_for(self, found, seconds=60):
        """Wait until something is found; return it."""
        end = time.monotonic() + seconds
        while not (what := found()) and time.monotonic() < end:
            time.sleep(0.1)
        return what


@contextmanager
def lab(folder, *names, **settings):
    """Start hosts; end them, and everything that runs on them, afterwards."""
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # A server of the superuser does not start without.
    ports = dict(zip(names, slurm.free_ports(len(names)), strict=True))
    hosts = Lab(folder, ports)
    for key in ("user", *names):
        path = str(folder / f"{key}.key")
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    _write_files(hosts, settings)
    try:
        for name in names:
            hosts.start(name)
        yield hosts
    finally:
        for name in names:
            hosts.cut_power(name)


def _write_files(hosts, settings):
    known, listed = [], []
    for name, port in hosts.ports.items():
        text = SERVER.format(name=name, port=port, folder=hosts.folder)
        (hosts.folder / f"{name}.conf").write_text(text)
        kind, key = (hosts.folder / f"{name}.key.pub").read_text().split()[:2]
        known.append(f"[127.0.0.1]:{port} {kind} {key}\n")
        listed.append({"name": name, "address": "127.0.0.1", "options": _options(hosts, port)})
    (hosts.folder / "known").write_text("".join(known))
    (hosts.folder / "hosts.yaml").write_text(yaml.safe_dump({"hosts": listed, **settings}))


def _options(hosts, port):
    """No file of the user is read, and no host taken that is not known."""
    files = {"IdentityFile": "user.key", "UserKnownHostsFile": "known"}
    set_to = [f"{key}={hosts.folder / name}" for key, name in files.items()]
    words = [*set_to, "IdentitiesOnly=yes", "StrictHostKeyChecking=yes"]
    return ["-F", "none", "-p", str(port), *(w for word in words for w in ("-o", word))]
