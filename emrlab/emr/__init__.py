"""The EMR service: operations, lifecycles, steps. Ours."""
