"""Measures what a check costs: `python -m bench`, or `make bench`. Nothing here is part of the product."""
