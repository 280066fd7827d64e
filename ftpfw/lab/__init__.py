"""Labs in network namespaces: topologies and results (pure), hosts, daemons, clients (shells)."""
