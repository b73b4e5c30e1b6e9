"""Archives: where products are sent, and what is there."""
