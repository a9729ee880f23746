"""Compile a query into SQL, with every value bound. Nothing here runs a statement."""
