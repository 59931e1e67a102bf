"""From the records of a run to its Run Report: what ran, what did not, and why it stopped where it did."""
