"""A cluster's figures, and the policies that act on them."""
