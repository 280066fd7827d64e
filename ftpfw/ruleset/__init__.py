"""From one policy to rule sets: model, compiler and renderers (pure), appliers (shells)."""
