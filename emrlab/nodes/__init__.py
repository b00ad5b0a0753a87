"""An EC2 instance here: a folder, an address, its processes. Knows nothing of EMR."""
