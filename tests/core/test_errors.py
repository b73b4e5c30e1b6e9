import errno

import pytest

from octflow.core.errors import DataError, kind_of


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (DataError("a", found="b", expected="c"), "data"),
        (OSError(errno.ENOSPC, "full"), "resource"),
        (OSError(errno.EIO, "mount"), "transient"),
        (MemoryError(), "resource"),
        (KeyError("x"), "code"),
    ],
)
def test_the_kind_of_a_failure_says_whether_trying_again_can_help(error, kind):
    assert kind_of(error) == kind
