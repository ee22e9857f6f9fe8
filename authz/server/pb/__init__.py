"""Generated from proto/ by `make proto`. Only wire.py reads it."""
