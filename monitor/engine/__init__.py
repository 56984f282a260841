"""Facts per symbol, the trigger book, quality and alert state: ``apply``, ``tick``, views. Synchronous."""
