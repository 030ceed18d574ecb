"""Lets `python -m shoplake` do what `shoplake` does."""

from shoplake.cli.main import main

if __name__ == "__main__":
    main()
