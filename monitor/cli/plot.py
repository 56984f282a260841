"""What the demo's story is about: three positions, in the contracts of the venue that plays it."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.numbers import shortest
from monitor.sim.cast import Role
from monitor.sim.venue import VenueSim
from monitor.venues import RULES, VENUES

SHORT, WICK, CALM = "mission-short", "wick-short", "calm-long"
ENTRY_PRICE = 50_000.0
MAINTENANCE_RATE = 0.004

LINES = (54_900.0, 55_100.0)
"""The mark price of the wick's contract, and the last price that its wick touches."""

CLOSES = {54_900.0: (100.0, 0.0), 55_200.0: (-200.0, 0.0), 56_000.0: (-1_000.0, 300.0)}
"""The mission's three closes: fill price -> what goes to (or comes from) the fund, and what stays uncovered."""


@dataclass(frozen=True, slots=True)
class Part:
    """One position of the story: *quantity* coins, entered at *entry_price* with *margin* in quote currency."""

    name: str
    role: Role
    quantity: float
    entry_price: float
    margin: float

    @property
    def contracts(self) -> float:
        """Return its size as the venue counts it."""
        return self.role.contracts(abs(self.quantity), self.entry_price)

    @property
    def own_margin(self) -> float:
        """Return the margin in the settlement asset; in coin so that the same price exhausts it."""
        if not self.role.inverse:
            return self.margin
        worth, entry = abs(self.quantity) * self.entry_price, self.role.price(self.entry_price)
        side = 1.0 if self.quantity > 0 else -1.0
        end = self.role.price(self.entry_price - side * self.margin / abs(self.quantity))
        return side * worth * (1.0 / end - 1.0 / entry)

    def line(self) -> str:
        """Return it as the configuration file has it."""
        side = "long" if self.quantity > 0 else "short"
        figures = {
            "contracts": self.contracts,
            "entry_price": self.role.price(self.entry_price),
            "margin": self.own_margin,
        }
        told = ", ".join(f"{key}: {shortest(round(value, 12))}" for key, value in figures.items())
        return f'{{name: {self.name}, symbol: "{self.role.symbol}", side: {side}, {told}}}'


@dataclass(frozen=True, slots=True)
class Plot:
    """The story as one venue plays it."""

    venue: str
    title: str
    mission: Part
    wick: Part
    calm: Part

    @classmethod
    def of(cls, sim: type[VenueSim]) -> Plot:
        """Return the story in the contracts of *sim*."""
        plain = {
            "BTCUSDT": Role(symbol="BTCUSDT", base="BTC", quote="USDT"),
            "BTCUSDC": Role(symbol="BTCUSDC", base="BTC", quote="USDC"),
            "ETHUSDT": Role(symbol="ETHUSDT", base="ETH", quote="USDT"),
        }
        cast = {**plain, **sim.CAST}
        rules = RULES[sim.NAME]
        kind = "inverse" if cast["BTCUSDT"].inverse else "linear"
        return cls(
            sim.NAME,
            rules[kind].name if kind in rules else sim.NAME,
            Part(SHORT, cast["BTCUSDT"], -1.0, ENTRY_PRICE, 5_000.0),
            Part(WICK, cast["BTCUSDC"], -1.0, ENTRY_PRICE, 5_250.0),
            Part(CALM, cast["ETHUSDT"], 10.0, 1_800.0, 3_600.0),
        )

    @property
    def parts(self) -> tuple[Part, Part, Part]:
        """Return the three positions."""
        return self.mission, self.wick, self.calm

    def positions(self) -> list[str]:
        """Return the positions as lines of the configuration."""
        return [part.line() for part in self.parts]

    def terms(self) -> str:
        """Return the ``terms`` section: what the venue does not say to everybody."""
        public = {f.fact for f in VENUES[self.venue].features if f.how in {"stream", "poll", "shipped"}}
        lines = []
        for part in self.parts:
            role, said = part.role, list[str]()
            if role.inverse:
                said.append("kind: inverse")
            if role.contract_size != 1.0:
                said.append(f"contract_size: {shortest(role.contract_size)}")
            if "tiers" not in public:
                said.append(f"maintenance_rate: {MAINTENANCE_RATE}")
            if said:
                lines.append(f'  "{role.symbol}": {{{", ".join(said)}}}\n')
        return "terms:\n" + "".join(lines) if lines else ""

    @property
    def silence_seconds(self) -> float:
        """Return how long a silence must last here until no price stands in for the mark, with some time to look."""
        expected = VENUES[self.venue].expected_intervals["mark"]
        return max(9.0, min(30.0, 3.0 * expected) + 3.0)

    def closes(self) -> dict[float, tuple[float, float]]:
        """Return the three closes in the venue's prices and settlement asset: fill -> (surplus, uncovered)."""
        role, found = self.mission.role, dict[float, tuple[float, float]]()
        for fill, (surplus, uncovered) in CLOSES.items():
            if role.inverse:
                worth, end = ENTRY_PRICE, role.price(ENTRY_PRICE + self.mission.margin)
                surplus, uncovered = -worth * (1.0 / end - 1.0 / role.price(fill)), 0.0  # noqa: PLW2901 - in coin
            found[role.price(fill)] = surplus, uncovered
        return found
