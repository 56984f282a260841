"""One file a venue: its wire, its rule, its polls. Two places to touch: the file, and its line here."""
