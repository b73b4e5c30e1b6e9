"""The auxiliary hosts of a lab: one file per user, for all projects and checkouts."""

import os
from pathlib import Path

import yaml
from pydantic import Field, ValidationError, model_validator

from octflow.core.errors import SettingsError
from octflow.core.settings import Settings

_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR")
"""Never asks: a password, or the key of a host that is not known, is a refusal."""


class Host(Settings):
    """A host that takes jobs."""

    name: str = Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$")
    """Name in records; hosts of the same name share their slots with other projects."""
    slots: int = Field(1, ge=1)
    """Jobs at a time."""
    address: str | None = Field(None, pattern=r"^[^-]")
    """Where ssh goes: [user@]host, or a name of ~/.ssh/config; null: the name."""
    options: tuple[str, ...] = ()
    """More words for ssh, such as [-p, "2222"]."""

    @property
    def ssh(self) -> list[str]:
        """Words before a command that run it there.

        Examples
        --------
        >>> Host(name="aux1", options=("-p", "2222")).ssh[-4:]
        ['-p', '2222', 'aux1', '--']
        """
        return [*_SSH, *self.options, self.address or self.name, "--"]


class Hosts(Settings):
    """The hosts, and how long they may be silent."""

    hosts: tuple[Host, ...] = Field(min_length=1)
    """Auxiliary hosts."""
    silent_s: float = Field(60.0, gt=0)
    """A job that has given no sign of life for so long is asked after by ssh."""
    lost_s: float = Field(300.0, gt=0)
    """Without an answer either, its host is lost after so long, and the job failed."""
    avoided_s: float = Field(600.0, ge=0)
    """A host that did not answer is the last choice for so long."""

    @property
    def slots(self) -> int:
        """Jobs at a time on all hosts together."""
        return sum(host.slots for host in self.hosts)

    @model_validator(mode="after")
    def _check_names(self) -> "Hosts":
        names = [host.name for host in self.hosts]
        if len(set(names)) < len(names):
            raise ValueError(f"found names {names}, expected distinct names")
        return self


def hosts_file() -> Path:
    """Return where the hosts are listed: OCTFLOW_HOSTS, or hosts.yaml in the user's settings."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return Path(os.environ.get("OCTFLOW_HOSTS") or home / "octflow" / "hosts.yaml")


def read_hosts() -> Hosts:
    """Read the list of hosts.

    Raises
    ------
    SettingsError
        There is none, or a key is wrong; it names the file.
    """
    path = hosts_file()
    try:
        return Hosts.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        expected = "a list of hosts; docs/clusters.md shows one"
        raise SettingsError(f"{path}: found {error.strerror}, expected {expected}") from None
    except (ValidationError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: {error}") from None
