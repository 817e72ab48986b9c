"""How well S recommends: four data sets, every source, every peer, one report."""
