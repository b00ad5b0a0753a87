"""The loopback AWS endpoint: gateway, borrowed services, start and stop."""
