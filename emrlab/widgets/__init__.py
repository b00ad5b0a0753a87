"""What a learner sees: cluster map, panels. Uses public APIs alone."""
