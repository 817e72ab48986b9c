"""Who may ask, and how: HTTP and command line."""
