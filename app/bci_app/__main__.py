"""``python -m bci_app``."""

from bci_app.main import main

if __name__ == "__main__":
    main()
