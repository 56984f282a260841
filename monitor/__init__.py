"""perp-monitor: warns before leveraged perpetual positions are liquidated."""

__version__ = "0.3.0"
