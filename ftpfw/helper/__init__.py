"""The inspector: its engine (pure), and the queue loop, backends and daemon around it."""
