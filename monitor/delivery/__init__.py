"""Alerts out: the durable outbox and its signed webhooks. At least once, in order per position, same bytes always."""
