"""Contract, account, events, margin, levels and alert rules: pure functions, no clock, no input, no output."""
