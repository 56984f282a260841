"""The columns themselves: legs, pools and assets of many accounts, one row each, as ``columns_build`` fills them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import msgspec
import numpy as np
import numpy.typing as npt

from monitor.core.account import Position
from monitor.core.columns_tiers import Floats, Ints, Ladders
from monitor.core.contract import Tier
from monitor.core.margin import Leg
from monitor.core.pool import Terms

Flags = npt.NDArray[np.bool_]
DTYPES: dict[Any, type[np.generic]] = {Floats: np.float64, Ints: np.int64, Flags: np.bool_}


class Table(msgspec.Struct, frozen=True):
    """Columns of one length."""

    @classmethod
    def of(cls, rows: Sequence[tuple[Any, ...]]) -> Self:
        """Return the columns of *rows*, each with its values in the order of the fields."""
        fields = msgspec.structs.fields(cls)
        values = zip(*rows, strict=True) if rows else [()] * len(fields)
        return cls(*[np.array(column, DTYPES[field.type]) for field, column in zip(fields, values, strict=True)])

    def rows(self, index: slice | Ints) -> Self:
        """Return the same columns with some of the rows."""
        return type(self)(*[getattr(self, name)[index] for name in self.__struct_fields__])


class Legs(Table, frozen=True):
    """A row a position; those of a pool stand together, and in it those of a group (the positions of one symbol).

    ``quantity`` and ``entry`` are in coordinates (``monitor.core.margin``); ``net``, ``gross``, ``value`` and
    ``gross_value`` are the group's sums of quantity, absolute quantity, and both times the entry. ``way`` says where
    danger lies for the leg and ``group_way`` where the group's equity is used up: +1 up, -1 down, in prices.
    """

    row: Ints
    """Of ``Columns.held``."""
    pool: Ints
    symbol: Ints
    """Of the marks."""
    members: Ints
    """Legs in the group."""
    first_tier: Ints
    tier_count: Ints
    way: Ints
    group_way: Ints
    opens: Flags
    """The first leg of its group."""
    inverse: Flags
    hard: Flags
    """The group's price is solved by the walk of ``monitor.core.margin``."""
    proportional: Flags
    """The bankruptcy price is the zero price."""
    quantity: Floats
    size: Floats
    entry: Floats
    net: Floats
    gross: Floats
    value: Floats
    gross_value: Floats
    fixed: Floats
    """NaN where the requirement is unknown."""
    slope: Floats
    follows: Floats
    """What the collateral gains per unit of the mark, where an asset in it follows that."""
    kept: Floats
    """A reported requirement, whose rate at the mark is kept; 0 where there is none."""
    reserve_rate: Floats
    """Of the closing fee at the bankruptcy price."""
    reserved_at: Floats
    """The coordinate for that fee, NaN where it is that of the bankruptcy price."""
    bankruptcy_fee: Floats


class Pools(Table, frozen=True):
    """A row a pool; ``given`` is its collateral, or its equity where the operator names that, or NaN if unknown."""

    given: Floats
    is_equity: Flags
    first: Ints
    """Leg."""
    count: Ints
    """Of legs."""


class Assets(Table, frozen=True):
    """A row an asset that counts as collateral at the mark of a contract; ``worth`` is what counts of its amount."""

    pool: Ints
    symbol: Ints
    worth: Floats


class Held(msgspec.Struct, frozen=True):
    """What a leg's row was made of. ``known`` is false where its requirement is not."""

    account: str
    position: Position
    terms: Terms
    leg: Leg
    kept: float | None = None
    known: bool = True

    def leg_at(self, x: float, reserve: float) -> Leg:
        """Return the leg as the walk takes it, with the mark's coordinate *x* and the closing fee that is reserved."""
        tiers = self.leg.tiers
        if self.kept is not None:
            tiers = (Tier(0.0, self.kept / (abs(self.leg.quantity) * x)),)
        return msgspec.structs.replace(self.leg, tiers=tiers, fixed=self.leg.fixed + reserve)


class Columns(msgspec.Struct, frozen=True):
    """All legs of many pools. Marks are given in the order of ``symbols``, which are (venue, symbol).

    ``pools.given`` may be written to between two solutions; whatever else changes, the columns are built anew.
    """

    symbols: tuple[tuple[str, str], ...]
    held: list[Held]
    ladders: Ladders
    legs: Legs
    pools: Pools
    assets: Assets
    paired: bool
    """Whether some group has several legs."""

    @property
    def scalar_count(self) -> int:
        """Return the number of groups that are solved one by one."""
        return int(np.count_nonzero(self.legs.hard & self.legs.opens))

    def part(self, pools: slice | Ints) -> Columns:
        """Return the columns of some pools: views for a slice without a step, copies for an array of their numbers."""
        some = self.pools.rows(pools)
        first = np.cumsum(some.count) - some.count
        numbers = np.repeat(np.arange(len(some.count)), some.count)
        legs: slice | Ints = np.repeat(some.first - first, some.count) + np.arange(len(numbers))
        if isinstance(pools, slice):
            start = int(some.first[0]) if len(some.first) else 0
            legs = slice(start, start + len(numbers))
        return msgspec.structs.replace(
            self,
            legs=msgspec.structs.replace(self.legs.rows(legs), pool=numbers),
            pools=msgspec.structs.replace(some, first=first),
            assets=self._assets_of(pools),
        )

    def _assets_of(self, pools: slice | Ints) -> Assets:
        if not len(self.assets.pool):
            return self.assets
        renumbered = np.full(len(self.pools.given), -1)
        renumbered[pools] = np.arange(len(self.pools.given[pools]))
        mine = renumbered[self.assets.pool]
        return msgspec.structs.replace(self.assets.rows(np.flatnonzero(mine >= 0)), pool=mine[mine >= 0])

    def sum_by_pool(self, values: Floats) -> Floats:
        """Return the sum over the legs of each pool."""
        if not len(values):
            return values
        total: Floats = np.add.reduceat(values, self.pools.first)
        return total

    def sum_by_group(self, values: Floats) -> Floats:
        """Return, for each leg, the sum over the legs of its group: itself unless there are pairs."""
        if not self.paired:
            return values
        group = np.cumsum(self.legs.opens) - 1
        total: Floats = np.bincount(group, values)[group]
        return total
