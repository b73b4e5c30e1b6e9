"""Nouns and numbers: ids, axes, axis angles, settings, records, errors."""
