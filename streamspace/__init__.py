"""StreamSpace: desktop and web applications as sessions in the browser."""

__version__ = "0.2.0"
