"""Connection tracking: model and wire format (pure), and the netlink clients (shells)."""
