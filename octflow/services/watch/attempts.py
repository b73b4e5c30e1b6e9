"""How often a target has failed, and when it is tried again."""

import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from octflow.services.watch.targets import Target
from octflow.workflow.lanes import WatchSettings


@dataclass
class Attempt:
    """What became of a target for one state of its inputs."""

    inputs: str
    failures: int = 0
    first_s: float = 0.0
    """Time of day of the first failure, s."""
    last_s: float = 0.0
    next_s: float = 0.0
    status: int | None = None
    """Exit status of the Snakemake process that failed last."""
    given_up: bool = False
    current: bool = False
    """Snakemake found nothing to be done, whatever the times of the flags say."""


@dataclass
class Attempts:
    """The targets that did not simply succeed; whatever the watcher must not forget.

    Parameters
    ----------
    settings : WatchSettings
        How often, and how long to wait.
    now_s : callable
        Time of day, s: what is kept must hold for the next watcher, too.
    """

    settings: WatchSettings
    now_s: Callable[[], float]
    known: dict[str, Attempt] = field(default_factory=dict)

    def due(self, targets: list[Target]) -> list[Target]:
        """Return what may be tried now, of targets of one lane: new ones, else one that failed.

        What failed is tried alone: a target that stops Snakemake itself must not stop others.
        """
        due = [target for target in targets if self._due(target)]
        new = [target for target in due if self._of(target).failures == 0]
        return new or due[:1]

    def wait_s(self, failures: int) -> float:
        """Return how long to wait after so many failures, s."""
        return min(self.settings.first_wait_s * 2 ** (failures - 1), self.settings.longest_wait_s)

    def failed(self, target: Target, status: int | None = None) -> Attempt:
        """Note that a target was not made, and how Snakemake ended."""
        attempt, now_s = self._of(target), self.now_s()
        attempt.failures += 1
        attempt.given_up = attempt.failures >= self.settings.max_attempts
        attempt.first_s, attempt.last_s = attempt.first_s or now_s, now_s
        attempt.next_s = now_s + self.wait_s(attempt.failures)
        attempt.status = status
        self.known[target.path] = attempt
        return attempt

    def succeeded(self, target: Target, *, changed: bool) -> None:
        """Note that a target was made, or that there was nothing to be done."""
        self.known.pop(target.path, None)
        if not changed:
            self.known[target.path] = Attempt(target.inputs, current=True)

    def forget(self, made: Callable[[str], bool]) -> None:
        """Forget what had been given up and was made since, by hand."""
        for path in [path for path in self.all_given_up() if made(path)]:
            del self.known[path]

    def current(self, target: Target) -> bool:
        """Tell whether Snakemake has said that there is nothing to be done."""
        return self._of(target).current

    def given_up(self, target: Target) -> bool:
        """Tell whether a target has failed too often."""
        return self._of(target).given_up

    def all_given_up(self) -> dict[str, Attempt]:
        """Return what needs a person, by target."""
        return {path: known for path, known in sorted(self.known.items()) if known.given_up}

    def plain(self) -> dict[str, dict[str, Any]]:
        """Return what is known as JSON."""
        return {path: asdict(attempt) for path, attempt in sorted(self.known.items())}

    def restore(self, plain: dict[str, dict[str, Any]]) -> None:
        """Take over what an earlier watcher knew; not what another version says otherwise."""
        for path, values in plain.items():
            with contextlib.suppress(TypeError):
                self.known[path] = Attempt(**values)

    def _due(self, target: Target) -> bool:
        attempt = self._of(target)
        left_s = attempt.next_s - self.now_s()
        # A clock that was set back, by days at worst, does not make a wait longer.
        waits = 0 < left_s <= self.wait_s(attempt.failures)
        return not (attempt.given_up or attempt.current or waits)

    def _of(self, target: Target) -> Attempt:
        """Return what is known of a target; of other inputs, nothing is."""
        known = self.known.get(target.path)
        return known if known and known.inputs == target.inputs else Attempt(target.inputs)
