"""``python -m bci``: the same as ``bci``."""

from bci.cli import main

# Guarded, since a spawned process imports this module again.
if __name__ == "__main__":
    main()
