import numpy as np

from octflow.simulate.axes import angles_deg, unit_axes, voxel_errors


def test_errors_of_voxels_are_those_that_were_planted():
    rng = np.random.default_rng(0)
    true = {"azimuth": rng.uniform(-80, 80, (4, 5)), "inclination": rng.uniform(-60, 60, (4, 5))}
    planted = np.array([0.0, 3.0, -7.0])[:, None, None]
    volumes = {
        "azimuth": true["azimuth"] + 0 * planted,
        "inclination": true["inclination"] + planted,
    }
    volumes["azimuth"][0] = np.nan
    chosen = np.zeros((4, 5), bool)
    chosen[1:3, 2] = True
    inclination, axis = voxel_errors(volumes, true, chosen)
    np.testing.assert_allclose(inclination, [3, 3, 7, 7])
    np.testing.assert_allclose(axis, [3, 3, 7, 7])


def test_axes_have_no_sign():
    axes = unit_axes([20.0, 70.0], [30.0, -40.0])
    np.testing.assert_allclose(angles_deg(axes, -axes), 0, atol=1e-5)
    np.testing.assert_allclose(angles_deg(axes[:, :1], unit_axes([20.0], [-60.0])), 90)
