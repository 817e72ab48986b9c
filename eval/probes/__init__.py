"""Questions about a prompt that a leaderboard does not answer: what moves its judgements?"""
