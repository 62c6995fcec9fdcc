"""`harness agree`: how far several judges of the same comparisons agree, with each other and with a known truth."""
