"""Steps from one schema version to the next, one file each: 0002_what_it_does.sql."""
