"""What a run leaves behind in ``runs/ID/``, written whole or not at all, and read again."""
