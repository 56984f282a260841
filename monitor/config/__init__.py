"""Files -> settings: every key, and file, line and key of each error."""
