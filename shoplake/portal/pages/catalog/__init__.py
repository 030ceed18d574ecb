"""The catalogue's pages: everything that there is, what it is made of, and a search that finds it."""
