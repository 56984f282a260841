"""Venues as seen from outside, played on loopback from scenario files.

From the inside out: :mod:`.market` (prices, funds; no wire), :mod:`.streams` and :mod:`.rest` (websocket and HTTP
plumbing with its faults, seen things in :mod:`.journal`), :mod:`.stage` (what every venue can be told),
:mod:`.actions` and :mod:`.scenario` (a file tells it), :mod:`.venue` (a whole venue that plays a story),
:mod:`.binance` with its frames, control messages and endpoints; beside them :mod:`.receiver`, a webhook receiver.
Nothing here knows our decoders or our engine, so that a mistake made there is not repeated here.
"""
