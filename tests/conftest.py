"""The order of all tests."""


def pytest_collection_modifyitems(items):
    """Begin with the stages' functions, then real runs of the workflow, then all others.

    What is compiled is compiled once, and not by the first jobs of several runs at a time; and no
    worker is left alone with a real run at the end.
    """
    items.sort(key=_turn)


def _turn(item):
    if item.get_closest_marker("slow"):
        return 1
    return 0 if "stages" in item.path.parts else 2
