"""Groups and fleets on their way to the size and settings they are to have."""
