"""Published data sets to data-set folders, one file a publisher."""
