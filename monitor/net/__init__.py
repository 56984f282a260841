"""Safe sockets and HTTP, clocks, backoff, rate windows, supervised tasks: what a message means is not known here."""
