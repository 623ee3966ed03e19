"""How many workers and how much database a load needs: `python -m bench.capacity`."""
