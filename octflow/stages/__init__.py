"""One package per stage; stages meet only through files."""
