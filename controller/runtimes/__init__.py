"""Where sessions run. ``base`` is the contract; each folder is one implementation."""
