"""Long-lived tasks, watched from inside the process (R32).

Whatever ends one (an exception, a cancellation of it alone, a plain return) is counted and the task is started
again; three ends in 60 s end the process, so that the service manager sees it. The supervisor stands inside the
TaskGroup, so that one end does not cancel the neighbours.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from monitor.net.clock import boot
from monitor.tally import Tally

log = structlog.get_logger()

Work = Callable[[], Coroutine[Any, Any, None]]


class TaskKeepsEnding(RuntimeError):
    """A long-lived task ended too often in too short a time: this ends the process."""


class Supervisor:
    """Keeps long-lived tasks alive and holds the only strong references to them that are needed."""

    def __init__(self, ends: int = 3, window_seconds: float = 60.0) -> None:
        self.tasks: dict[str, asyncio.Task[None]] = {}
        """The tasks that run now, by name."""
        self.restarts = Tally()
        self._ends = ends
        self._window_seconds = window_seconds

    async def supervise(self, name: str, work: Work) -> None:
        """Run *work* for ever: start it again whenever it ends. Raises :class:`TaskKeepsEnding`.

        A cancellation of the supervisor itself is the order to stop, and is passed on.
        """
        self.restarts.setdefault((name,), 0)
        ends: deque[float] = deque(maxlen=self._ends)
        while True:
            cause = await self._once(name, work)
            ends.append(boot())
            if len(ends) == self._ends and ends[-1] - ends[0] <= self._window_seconds:
                raise TaskKeepsEnding(f"task {name} ended {self._ends} times in {self._window_seconds:g} s") from cause
            self.restarts.add(name)
            log.error("task.restarted", task=name, reason=_word(cause), exc_info=cause)

    async def _once(self, name: str, work: Work) -> Exception | None:
        """Run *work* to its end and return the exception that ended it, if one did.

        The task is a child of a group of its own: when it alone is cancelled the group just ends, and when the
        supervisor is cancelled the group takes it along. It never fails before the group's eyes, since a group
        that is waiting for its end would then leave a mark of cancellation on the supervisor (before 3.13).
        """
        cause: Exception | None = None

        async def caught() -> None:
            nonlocal cause
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - whatever ends a long-lived task is counted
                cause = error

        try:
            async with asyncio.TaskGroup() as group:
                self.tasks[name] = group.create_task(caught(), name=name)
        finally:
            self.tasks.pop(name, None)
        return cause


def _word(cause: Exception | None) -> str:
    while isinstance(cause, ExceptionGroup):
        cause = cause.exceptions[0]
    return "ended" if cause is None else type(cause).__name__
