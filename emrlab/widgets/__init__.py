"""What a lab shows: the live cluster map, panels, figures. Talks to AWS APIs and the engines' REST only."""
