"""What is decided: the language model, profiles, re-ranking, explaining, chat, composition."""
