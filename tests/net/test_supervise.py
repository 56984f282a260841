"""Whatever ends a long-lived task, it is counted and started again; three ends in a minute end the process."""

import asyncio

import pytest
from structlog.testing import capture_logs

from monitor.net.supervise import Supervisor, TaskKeepsEnding


def fails():
    raise KeyError("a bug")


def ends():
    return None


def is_cancelled():
    asyncio.current_task().cancel()


@pytest.mark.parametrize("end", [fails, ends, is_cancelled])
async def test_a_task_that_ends_is_started_again(end):
    supervisor, starts = Supervisor(), []
    back = asyncio.Event()

    async def work():
        starts.append(1)
        if len(starts) == 1:
            end()
            await asyncio.sleep(0)
            return
        back.set()
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(supervisor.supervise("work", work))
        await back.wait()
        assert supervisor.restarts == {("work",): 1}
        assert list(supervisor.tasks) == ["work"]
        task.cancel()
    assert supervisor.tasks == {}


@pytest.mark.parametrize("end", [fails, ends, is_cancelled])
async def test_three_ends_in_a_minute_are_raised(end):
    async def work():
        end()
        await asyncio.sleep(0)

    with pytest.raises(TaskKeepsEnding, match="task work ended 3 times"):
        await Supervisor().supervise("work", work)


async def test_ends_that_lie_further_apart_are_survived():
    supervisor = Supervisor(ends=3, window_seconds=0.02)

    async def work():
        await asyncio.sleep(0.015)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(supervisor.supervise("work", work))
        while supervisor.restarts.get(("work",), 0) < 6:  # noqa: ASYNC110 - a counter has no event
            await asyncio.sleep(0.005)
        task.cancel()


async def test_the_end_of_one_task_does_not_cancel_its_neighbour():
    supervisor, turns = Supervisor(ends=100), []

    async def neighbour():
        while len(turns) < 20:
            turns.append(1)
            await asyncio.sleep(0)
        await asyncio.Event().wait()

    async def work():
        await asyncio.sleep(0)
        fails()

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(supervisor.supervise("neighbour", neighbour)),
            group.create_task(supervisor.supervise("work", work)),
        ]
        while len(turns) < 20:  # noqa: ASYNC110 - a counter has no event
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
    assert supervisor.restarts["neighbour",] == 0
    assert supervisor.restarts["work",] > 3


async def test_a_failure_while_stopping_does_not_start_the_task_again():
    starts = []

    async def work():
        starts.append(1)
        try:
            await asyncio.Event().wait()
        finally:
            fails()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(Supervisor().supervise("work", work))
        await asyncio.sleep(0.01)
        task.cancel()
    assert task.cancelled()
    assert starts == [1]


async def test_a_restart_is_logged_with_its_cause():
    async def work():
        async with asyncio.TaskGroup():
            fails()

    with capture_logs() as logs, pytest.raises(TaskKeepsEnding):
        await Supervisor().supervise("work", work)
    assert [(entry["event"], entry["task"], entry["reason"]) for entry in logs] == [
        ("task.restarted", "work", "KeyError")
    ] * 2
