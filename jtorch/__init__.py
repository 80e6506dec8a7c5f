"""jtorch."""
