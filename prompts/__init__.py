"""What is said to the model: one file a prompt, and the library that loads, checks and renders."""
