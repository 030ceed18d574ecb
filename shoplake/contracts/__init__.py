"""One data contract a source: what it promises, in Open Data Contract Standard YAML, and its reader."""

from shoplake.contracts.reader import Contract, Field, Rule, load_contracts, stream_contracts

__all__ = ["Contract", "Field", "Rule", "load_contracts", "stream_contracts"]
