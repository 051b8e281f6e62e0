"""Labels that are probably wrong: found out of sample, cured only where it helps."""
