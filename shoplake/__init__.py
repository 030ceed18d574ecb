"""shoplake: a governed retail lakehouse."""

__version__ = "0.1.0"
