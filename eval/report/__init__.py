"""One self-contained HTML page that shows a run to a colleague who does not know the tool."""
