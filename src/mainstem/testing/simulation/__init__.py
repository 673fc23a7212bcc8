# SPDX-License-Identifier: Apache-2.0
"""A project in virtual time: schedules fire, runs go on, steps take as long as they are told to.

What decides is real: ticks, the launch queue, plans, the run machine, gates, publishing, leases and
recovery, on a lake and a database of the simulation's own. What computes is not: a step writes a
version of its table without rows, in no time of the machine's.
"""

from mainstem.testing.simulation.behaviour import Attempt
from mainstem.testing.simulation.world import Materialization, SimulatedRun, World, simulate

__all__ = ["Attempt", "Materialization", "SimulatedRun", "World", "simulate"]
