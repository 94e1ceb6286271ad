"""Speed and memory of the explorer, beside other model checkers on the same graphs."""
