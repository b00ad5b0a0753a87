"""Labs: what they are made of, and what runs them. ``emrlab.lab("1.1")`` opens one."""

from .definition import Definition, Exercise, NotYet
from .state import State

__all__ = ["Definition", "Exercise", "NotYet", "State"]
