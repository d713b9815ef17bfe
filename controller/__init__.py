"""Makes the runtime match what the records ask for."""
