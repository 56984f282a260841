"""The command line: one file a verb, words on the terminal."""
