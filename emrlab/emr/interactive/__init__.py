"""Notebook executions, sessions, and applications' user interfaces."""
