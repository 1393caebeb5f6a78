"""How heavy and how quick the pages are, with a big school in the database."""
