"""Real servers and programs for tests: each starts in its own folder and leaves nothing behind."""
