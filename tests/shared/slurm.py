"""A real Slurm cluster of virtual nodes on this machine: nothing outside its folder is touched."""

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

PARTITIONS = {"zircon": ("zircon",), "aux": ("aux1", "aux2")}
NODES = [node for nodes in PARTITIONS.values() for node in nodes]
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")

needs_slurm = pytest.mark.skipif(
    # Where tests must be complete, its absence is a failure.
    not all(shutil.which(name, path=PATH) for name in PROGRAMS) and os.environ.get("CI") != "true",
    reason="Slurm is not installed: make slurm",
)

# Daemons find each other by address and port, so that the nodes may share one host name. Without
# control groups limits are not enforced; config_overrides lets nodes have more than the machine.
CONFIG = """
ClusterName=lab
SlurmctldHost={host}({address})
SlurmctldPort={port}
CommunicationParameters={listen}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
SlurmctldTimeout=10
SlurmdTimeout=6
MessageTimeout=5
KillWait=2
MinJobAge=300
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
"""


@dataclass
class Cluster:
    """Daemons below a folder, and the environment in which Slurm's commands speak to them."""

    folder: Path
    daemons: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def config(self):
        return self.folder / "slurm.conf"

    @property
    def environment(self):
        path = f"{self.folder / 'bin'}:{PATH}"
        return os.environ | {"SLURM_CONF": str(self.config), "PATH": path}

    def ask(self, *command):
        """Run a command of Slurm; return what it printed."""
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment)
        return done.stdout

    def start(self, name, *command):
        """Start a daemon in the foreground, so that its process id is known."""
        with (self.folder / f"{name}.out").open("w") as out:
            self.daemons[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=self.environment,
                start_new_session=True,
            )

    def start_node(self, node):
        self.start(node, "slurmd", "-D", "-N", node, "-f", str(self.config))

    def cut_power(self, node):
        """End a node and everything that runs on it, at once and without a word."""
        self.daemons[node].kill()
        self.daemons[node].wait()
        running = list(self.processes(node))
        # Those that watch over the steps go first: they would tell the controller of the end.
        watching = {_parent(pid) for pid in running} - {None, *running}
        for pid in [*(p for p in watching if _command(p) == "slurmstepd"), *running]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        # The controller would find it out by itself, some fifteen seconds later.
        self.ask("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=power")

    def processes(self, node, word=""):
        """Find the processes of this cluster that run on a node, with a word in their command."""
        return processes(self.folder, f"SLURMD_NODENAME={node}", word)

    def wait_until_idle(self, seconds=30):
        end = time.monotonic() + seconds
        while self.ask("sinfo", "-h", "-N", "-o", "%T").split() != ["idle"] * len(NODES):
            if time.monotonic() > end:
                logs = [path.read_text()[-2000:] for path in sorted(self.folder.glob("*.log"))]
                raise TimeoutError("\n".join([self.ask("sinfo", "-N", "-l"), *logs]))
            time.sleep(0.1)


@contextmanager
def cluster(folder):
    """Start a cluster; end it, and every job in it, afterwards."""
    lab = Cluster(folder)
    _write_files(lab)
    try:
        _start(lab)
        yield lab
    finally:
        lab.ask("scancel", "--user", str(os.getuid()))
        for name in reversed(lab.daemons):
            lab.daemons[name].terminate()
            lab.daemons[name].wait()


def _start(lab):
    socket_path, key = lab.folder / "munge.socket", lab.folder / "munge.key"
    # --force: the folder may be closed to other users, whom nobody expects here.
    munged = ["munged", "--foreground", "--force", f"--socket={socket_path}", f"--key-file={key}"]
    files = {"pid": "munged.pid", "log": "munged.log", "seed": "munged.seed"}
    munged += [f"--{kind}-file={lab.folder / name}" for kind, name in files.items()]
    lab.start("munged", *munged)
    while not socket_path.exists() and lab.daemons["munged"].poll() is None:
        time.sleep(0.02)
    lab.start("slurmctld", "slurmctld", "-D", "-f", str(lab.config))
    for node in NODES:
        lab.start_node(node)
    lab.wait_until_idle()


def _write_files(lab):
    key = lab.folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    lab.config.write_text(_config(lab.folder))
    # A step of Snakemake's plugin loses SLURM_CONF on its way to srun.
    srun = lab.folder / "bin" / "srun"
    srun.parent.mkdir()
    real = shutil.which("srun", path=PATH)
    srun.write_text(f'#!/bin/sh\nSLURM_CONF={lab.config} exec {real} "$@"\n')
    srun.chmod(0o755)


def _config(folder):
    host = socket.gethostname().partition(".")[0]
    try:
        address, listen = socket.gethostbyname(socket.gethostname()), "NoCtldInAddrAny,NoInAddrAny"
    except OSError:
        address, listen = "127.0.0.1", "keepaliveinterval=60"
    port, *node_ports = free_ports(1 + len(NODES))
    values = {"host": host, "address": address, "port": port, "listen": listen}
    lines = [CONFIG.format(**values, user=_user(), folder=folder)]
    lines += [
        f"NodeName={node} NodeHostname=localhost NodeAddr={address} Port={port} CPUs=4 "
        "RealMemory=64000 State=UNKNOWN"
        for node, port in zip(NODES, node_ports, strict=True)
    ]
    # LLN: the least loaded node first; else aux2 idles while aux1 has room.
    lines += [
        f"PartitionName={name} Nodes={','.join(nodes)} LLN=YES MaxTime=INFINITE State=UP"
        for name, nodes in PARTITIONS.items()
    ]
    return "\n".join(lines) + "\n"


def processes(folder, variable, word=""):
    """Find processes by a variable, a folder in another one, and a word in their command."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            words = path.read_text(errors="replace").split("\0")
            ours = any(str(folder) in w for w in words)
            command = path.with_name("cmdline").read_text(errors="replace")
            if ours and variable in words and word in command:
                yield int(path.parent.name)


def _parent(pid):
    """None where the process has ended."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("PPid:"))


def _command(pid):
    """None where the process has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()


def _user():
    return Path(f"/proc/{os.getpid()}").owner()


def free_ports(count):
    """Ask the system for ports that nobody has."""
    found = [socket.create_server(("", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in found]
    for server in found:
        server.close()
    return ports
