"""The progress that every command shows; it lives in ``agent``, where eval finds it too."""

from agent.progress import ConsoleProgress, spoken_seconds

__all__ = ["ConsoleProgress", "spoken_seconds"]
