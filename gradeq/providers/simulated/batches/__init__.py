"""The batch APIs of the simulated provider: many calls posted at once, worked off later."""
