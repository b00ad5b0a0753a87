"""Labs: parameters, exercises, progress. Uses public APIs alone."""
