"""Parameters that become records, or are refused."""
