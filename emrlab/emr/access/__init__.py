"""Who may do what: policies, roles, nodes' metadata, key pairs, security configurations."""
