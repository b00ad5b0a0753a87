"""Prices, costs, and the spot market that fleets choose from."""
