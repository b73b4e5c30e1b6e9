"""What runs outside the rule graph and only reads files."""
