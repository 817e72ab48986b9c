"""How sure a comparison is: paired tests, families of them, sample sizes, early stops; pure."""
