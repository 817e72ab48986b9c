"""Other people's recommenders, run for real on Palate's own splits.

Each library lives in an environment of its own, since their requirements contradict ours and
each other's: ``environment`` makes it, ``exchange`` is what the two sides pass to each other as
files, ``runner`` starts a peer and reads what it wrote. ``*_peer`` and what they import run
inside a peer's environment: they know nothing of Palate but this folder.
"""
