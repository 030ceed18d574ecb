"""A retail world that writes the seven sources as files: for the demo, for tests and for benchmarks.

Nothing in it is random from run to run: the same `World` gives the same bytes.
"""

from shoplake.simulator.world import World, Written
from shoplake.simulator.write import write_world

__all__ = ["World", "Written", "write_world"]
