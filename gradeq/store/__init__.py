"""Where accepted work is kept: the Store protocol and the SQLite store behind it."""
