"""The one SQLite file: what must survive a restart, and the thread that alone touches it."""
