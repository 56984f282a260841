"""Which streams of one connection are silent, and what to do about it. Pure: time comes in as ``now``.

An acknowledgement proves nothing: a stream runs when its data arrive. Its age hangs on the last value that the
engine accepted of one of its symbols and that very field; pings, other fields and other symbols prove nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.feed.intake import Trace
from monitor.feed.settings import FeedSettings
from monitor.venues.base import Stream

Accepted = Callable[[str, str], float | None]
"""(symbol, field) -> boot time of the last accepted value."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the silence calls for: nothing, asking again for some streams, a new connection beside, or a cut."""

    ask_again: Sequence[Stream] = ()
    replace: bool = False
    dead: bool = False
    silent_seconds: float = 0.0


@dataclass(slots=True)
class _Asked:
    count: int = 0
    last: float = field(default=float("-inf"))


class Watch:
    """The watchdog's judgement over one open connection."""

    def __init__(
        self,
        streams: Sequence[Stream],
        accepted: Accepted,
        trace: Trace,
        settings: FeedSettings,
        now: float,
        *,
        proving: bool = False,
    ) -> None:
        self.streams = [stream for stream in streams if stream.field is not None and stream.symbols]
        """The streams of which data are expected."""
        self._accepted = accepted
        self._trace = trace
        trace.symbols = frozenset(symbol for stream in streams for symbol in stream.symbols)
        self._settings = settings
        self._start = now
        self._asked: dict[str, _Asked] = {}
        self._since: dict[str, float] = {}
        """When a stream that had been refused was asked for again: its silence counts from there."""
        served = [symbol for stream in streams for symbol in stream.symbols]
        self._shared = {symbol for symbol, times in Counter(served).items() if times > 1}
        """Contracts that several streams of this line bring: another field of theirs says nothing of a stream."""
        self._spot_from: float | None = None
        self._spot_wait = settings.spot_seconds
        self._spot_at = now + settings.spot_seconds
        self.proving = proving
        """Another connection still delivers the same, so only what this one brought itself proves anything."""
        self._be_in_doubt(proving)

    def excuse(self, stream: Stream) -> None:
        """Expect nothing of *stream*: the venue refused it."""
        self.streams = [other for other in self.streams if other.name != stream.name]

    def expect(self, stream: Stream, now: float) -> None:
        """Expect data of *stream* again: it is asked for anew."""
        if stream.field is not None and stream.symbols and all(other.name != stream.name for other in self.streams):
            self.streams.append(stream)
            self._since[stream.name] = now

    def check(self, now: float, *, asking: bool = False) -> Verdict:
        """Return what is to be done at *now*.

        Nothing is done where frames of the right kind arrive and the engine refuses them, and little where they
        cannot be read at all: a new connection would bring the same.
        """
        if not self.streams:
            return Verdict()
        limits = {stream.name: self._limit(stream, now) for stream in self.streams}
        accepted = {stream.name: self._last_accepted(stream) for stream in self.streams}
        if self._spot_from is None and now >= self._spot_at:
            self._spot_from = now
        doubt = self.proving or self._spot_from is not None
        self._be_in_doubt(doubt or any(now - accepted[name] > limit / 2.0 for name, limit in limits.items()))
        ages = {stream.name: now - self._last_data(stream) for stream in self.streams}
        silent = [stream for stream in self.streams if ages[stream.name] > limits[stream.name]]
        quiet_seconds = now - max(self._trace.last_data, self._start)
        if len(silent) == len(self.streams) or quiet_seconds > min(limits.values()):
            return Verdict(dead=True, silent_seconds=max(*ages.values(), quiet_seconds))
        if asking:
            return Verdict()
        for stream in self.streams:
            if stream not in silent:
                self._asked.pop(stream.name, None)
        if self._spot_from is not None and now - self._spot_from > max(limits.values()):
            silent += [stream for stream in self._unheard(accepted) if stream not in silent]
        return self._targeted(silent, max((ages[stream.name] for stream in silent), default=0.0), now)

    def replaces(self, other: Watch, now: float) -> bool:
        """Return whether this connection itself brings what *other* does: every quick stream, or one of the slow.

        What is silent on *other* is not waited for.
        """
        ours = {stream.name for stream in self.streams}  # without those that were refused here
        alive = [s for s in other.streams if s.name in ours]
        alive = [stream for stream in alive if now - other._last_data(stream) <= other._limit(stream, now)]
        seen = self._trace.seen or {}
        brought = [stream for stream in alive if any((symbol, stream.field) in seen for symbol in stream.symbols)]
        quick = [stream for stream in alive if stream.expected_interval <= self._settings.proof_seconds]
        return all(stream in brought for stream in quick) and (bool(brought) or not alive)

    def _unheard(self, accepted: Mapping[str, float]) -> list[Stream]:
        """Return the streams of which this connection brought nothing at all since the spot check began, although
        another source (a poll that confirms) keeps their field fresh: such a loss would show in no age.

        A contract where nothing happens looks the same: then asking again brings nothing, and is done less and less.
        """
        since, seen = self._spot_from or 0.0, self._trace.seen or {}
        heard = {key for key, came in seen.items() if came >= since}
        symbols = {symbol for symbol, _ in heard}
        unheard = [
            stream
            for stream in self.streams
            if accepted[stream.name] > since
            and not any((s, stream.field) in heard or (s in symbols and s not in self._shared) for s in stream.symbols)
        ]
        longest = self._settings.heal_cap_seconds
        self._spot_wait = min(2.0 * self._spot_wait, longest) if unheard else self._settings.spot_seconds
        self._spot_at, self._spot_from = since + self._spot_wait, None
        return unheard

    def _targeted(self, silent: Sequence[Stream], silent_seconds: float, now: float) -> Verdict:
        again, replace = [], False
        for stream in silent:
            asked = self._asked.setdefault(stream.name, _Asked())
            if now - asked.last < self._settings.resubscribe_seconds:
                continue
            if asked.count < self._settings.resubscribe_tries:
                asked.count += 1
                asked.last = now
                again.append(stream)
            else:
                replace = True
        return Verdict(ask_again=again, replace=replace, silent_seconds=silent_seconds)

    def _last_accepted(self, stream: Stream) -> float:
        assert stream.field is not None
        times = (self._accepted(symbol, stream.field) for symbol in stream.symbols)
        return max((time for time in times if time is not None), default=self._start)

    def _last_data(self, stream: Stream) -> float:
        """Return when the last value came that was accepted, or, in doubt, that came at all."""
        last = max(self._last_accepted(stream), self._since.get(stream.name, self._start))
        seen = self._trace.seen
        if seen:
            last = max(last, *(seen.get((symbol, str(stream.field)), last) for symbol in stream.symbols))
        return last

    def _limit(self, stream: Stream, now: float) -> float:
        settings = self._settings
        limit = max(settings.silence_factor * stream.expected_interval, settings.silence_floor_seconds)
        if now - self._trace.unreadable <= limit:
            return max(limit, settings.slow_retry_seconds)
        return limit

    def _be_in_doubt(self, doubt: bool) -> None:  # noqa: FBT001 - a state, not a switch
        if not doubt:
            self._trace.seen = None
        elif self._trace.seen is None:
            self._trace.seen = {}
