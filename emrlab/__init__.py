"""Amazon EMR on your laptop, for learning."""

__version__ = "0.1.0"
