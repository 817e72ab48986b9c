"""What a shop decides about its lists, as data: filters before ranking, places after it."""
