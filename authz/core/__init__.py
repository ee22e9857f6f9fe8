"""What decides. Values in, values out: nothing here talks to the world, and the clock is an argument."""
