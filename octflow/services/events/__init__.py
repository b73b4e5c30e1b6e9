"""Events: what flags and failed attempts tell, delivered at least once to every listener."""
