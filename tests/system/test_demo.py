"""``perp-monitor demo``: true as it stands, and untrue when the simulator's prices are others."""

import pytest

from monitor.sim.venues import SIMS


def broken(shown: str) -> list[str]:
    """Return the promises that the summary calls broken."""
    return [line.partition("BROKEN ")[2] for line in shown.splitlines() if "BROKEN " in line]


def test_every_promise_of_the_demo_is_kept(shows):
    code, shown = shows["as it is"].end()
    assert (code, broken(shown)) == (0, []), shown
    assert "All promises were kept." in shown


@pytest.mark.parametrize("venue", sorted(SIMS.keys() - {"binance"}))
def test_every_promise_is_kept_at_every_venue(shows, venue):
    code, shown = shows[venue].end()
    assert (code, broken(shown)) == (0, []), shown
    assert "All promises were kept." in shown


@pytest.mark.parametrize(
    ("story", "promise"),
    [("another fill", "closed at 55,200"), ("short climb", "the mark price climbs: each level is delivered, in order")],
)
def test_another_story_breaks_the_promise_it_touches_and_no_other(shows, story, promise):
    code, shown = shows[story].end()
    assert code == 1
    assert [line.startswith(promise) for line in broken(shown)] == [True], shown
    assert "A promise was broken." in shown


def test_a_scenario_that_is_not_there_is_said_plainly(perp_monitor, tmp_path):
    done = perp_monitor("demo", "--scenario", tmp_path / "missing.yaml")
    assert done.returncode == 2
    assert b"missing.yaml: the scenario cannot be read" in done.stderr
