"""The decision logic. Pure functions and immutable values, without I/O. The time is an argument."""
