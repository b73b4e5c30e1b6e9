"""The order of all tests."""


def pytest_collection_modifyitems(items):
    """Begin with real runs of the workflow, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
