"""What runs outside the rule graph."""
