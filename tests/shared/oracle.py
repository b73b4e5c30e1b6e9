"""The definitions of all products of a tile, written out slowly in double precision."""

import numpy as np

N_K, FIRST_BIN, N_Z = 2048, 24, 1000


def jones_of(spectra, cameras, phase_rad):
    """Reconstruct (Y, 2, X, K) counts as stored; the Fourier transform is a sum."""
    bins = np.arange(FIRST_BIN, FIRST_BIN + N_Z)
    # J is the conjugate of the transform, so that the exponent is positive.
    kernel = np.exp(2j * np.pi * (np.outer(bins, np.arange(N_K)) % N_K) / N_K)
    pixel = np.arange(1, N_K + 1)
    first, second = (c.slope_nm * pixel + c.offset_nm for c in cameras)
    shortest, longest = max(first[0], second[0]), min(first[-1], second[-1])
    wanted_nm = 2 * np.pi / np.linspace(2 * np.pi / shortest, 2 * np.pi / longest, N_K)
    jones = np.empty((2, N_Z, spectra.shape[0], spectra.shape[2]), complex)
    for y, line in enumerate(spectra.astype(float)):
        for channel, map_nm in enumerate((first, second)):
            counts = line[channel][:, ::-1] if channel else line[channel]
            counts = counts - counts.mean(axis=0)
            even = np.array([np.interp(wanted_nm, map_nm, spectrum) for spectrum in counts])
            fringes = (even - np.median(even, axis=0)) * np.exp(1j * phase_rad)
            jones[channel, :, y] = kernel @ fringes.T
    return jones


def volumes_of(jones, offset_deg=100):
    """Return dBI, R3D, O3D."""
    first, second = jones.astype(complex)
    intensity = np.abs(first) ** 2 + np.abs(second) ** 2
    turned = first * np.conj(second) * np.exp(2j * np.deg2rad(offset_deg))
    return {
        "dBI": 10 * np.log10(np.maximum(intensity, 2.0**-23)),
        "R3D": np.rad2deg(np.arctan2(np.abs(first), np.abs(second))),
        "O3D": np.rad2deg(np.angle(turned)) / 2,
    }


def surface_of(line_db):
    """Return the surface of one A-line, from the smoothed line and two means."""
    taps = np.exp(-0.5 * (np.arange(-10, 11) / 5) ** 2)
    taps /= taps.sum()
    ends = np.concatenate([[line_db[0]] * 10, line_db, [line_db[-1]] * 10])
    smooth = np.array([taps @ ends[z : z + 21] for z in range(line_db.size)])
    rises = [
        smooth[j + 5 : j + 10].mean() - smooth[j : j + 5].mean() for j in range(line_db.size - 9)
    ]
    return 5 + int(np.argmax(rises))


def median_of_nine(surface):
    """Return the 3 x 3 median, borders mirrored."""
    ends = np.pad(surface, 1, mode="symmetric")
    n_y, n_x = surface.shape
    return np.array(
        [[np.median(ends[y : y + 3, x : x + 3]) for x in range(n_x)] for y in range(n_y)]
    )


def maps_of(volumes, surface, *, depth_px=80, wavelength_um=1.3, voxel_z_um=2.5):
    """Return aip, mip, ret, ori, biref of the window below the surface.

    And `accord`, the length of the mean doubled axis: near 0, the mean axis is any.
    """
    n_z = len(volumes["dBI"])
    names = ("aip", "mip", "ret", "ori", "biref", "accord")
    maps = {name: np.empty(surface.shape) for name in names}
    for at in np.ndindex(surface.shape):
        start = int(surface[at])
        window = slice(start, min(start + depth_px, n_z))
        line_db, retardance, axis = (volumes[v][window][:, *at] for v in ("dBI", "R3D", "O3D"))
        doubled = np.exp(2j * np.deg2rad(axis)).mean()
        path_um = retardance / 360 * wavelength_um
        depth_um = np.arange(path_um.size) * voxel_z_um
        maps["aip"][at], maps["mip"][at] = line_db.mean(), line_db.max()
        maps["ret"][at], maps["ori"][at] = retardance.mean(), np.rad2deg(np.angle(doubled)) / 2
        maps["accord"][at] = np.abs(doubled)
        maps["biref"][at] = np.polyfit(depth_um, path_um, 1)[0] if path_um.size > 2 else 0
    return maps


def products_of(jones):
    """Return everything that is made of a complex tile."""
    return {"complex": jones, **maps_and_volumes(volumes_of(jones))}


def maps_and_volumes(volumes):
    """Return volumes and all maps that are made of them."""
    lines = np.moveaxis(volumes["dBI"], 0, -1)
    raw = np.array([[surface_of(line_db) for line_db in row] for row in lines])
    surface = median_of_nine(raw)
    return {**volumes, "surf": surface, **maps_of(volumes, surface)}


def fibres_seen(axis, birefringence, tilt_deg):
    """Return apparent birefringence and azimuth (deg) of fibres (3, ...) under a tilted beam.

    From the angle to the beam, and along the axes of the view.
    """
    g = np.deg2rad(tilt_deg)
    beam, right = np.array([np.sin(g), 0, np.cos(g)]), np.array([np.cos(g), 0, -np.sin(g)])
    along, across = np.tensordot(beam, axis, 1), np.tensordot(right, axis, 1)
    return birefringence * (1 - along**2), np.rad2deg(np.arctan(axis[1] / across))


def fibre_vectors(azimuth_deg, inclination_deg):
    """Return unit vectors (3, ...), of which positive x and positive inclination point deeper."""
    phi, alpha = np.deg2rad(azimuth_deg), np.deg2rad(inclination_deg)
    return np.stack([np.cos(alpha) * np.cos(phi), np.cos(alpha) * np.sin(phi), np.sin(alpha)])
