"""Slices of a stack placed one after the other, as the workflow does it."""

from octflow.stages.stack.files import place_slice

from flags import write_flag


def write_placed(stitched, folder, settings):
    """Place every slice but the first; return the flags.

    Parameters
    ----------
    stitched : dict of int to Path
        Flags of the mosaics by slice.
    """
    flags = []
    slices = sorted(stitched)
    for n in range(1, len(slices)):
        outcome = place_slice(
            stitched=[stitched[i] for i in slices[max(0, n - 3) : n + 1]],
            folder=folder / "steps",
            reference="normal",
            slice_id=slices[n],
            settings=settings,
        )
        told = {name: getattr(outcome, name) for name in ("inputs", "outputs", "qc", "gates")}
        path = folder / f"s{slices[n]}.placed"
        flags.append(write_flag(path, "place_slice", unit={"slice": slices[n]}, **told))
    return flags
