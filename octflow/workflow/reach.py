"""What is asked for that delivered volumes and maps cannot give, and so is left out."""

from typing import Any

from octflow.core.names import obtainable
from octflow.workflow.config import Config

_LISTS = {
    "stitch": ("link_modalities", "modalities", "mask_outputs"),
    "volume": ("modalities",),
    "stack": ("maps", "volumes"),
}
"""Settings, by section, that list modalities."""


def within_reach(config: Config) -> tuple[Config, list[str]]:
    """Leave out of the later stages what is neither delivered nor can be computed.

    Only volumes and maps that the microscope delivers are a limit: from spectra and complex tiles
    everything can be made.

    Returns
    -------
    config : Config
        Without these modalities.
    left_out : list of str
        Which they are, one line for each setting.
    """
    if config.acquisition.format != "processed_with_spectral":
        return config, []
    there = obtainable(config.acquisition.delivered)
    sections: dict[str, Any] = {}
    left_out = []
    for name, fields in _LISTS.items():
        section = getattr(config, name)
        for field in fields:
            wanted = getattr(section, field)
            if lost := [modality for modality in wanted if modality not in there]:
                kept = tuple(modality for modality in wanted if modality in there)
                section = section.model_copy(update={field: kept})
                left_out.append(f"{name}.{field}: {', '.join(lost)}")
        sections[name] = section
    if (image := sections["stack"].image) not in there:
        sections["stack"] = sections["stack"].model_copy(update={"image": "aip"})
        left_out.append(f"stack.image: {image}, aip is used")
    if not {"biref", "ori"} <= there:
        left_out.append("register: needs biref and ori")
    return config.model_copy(update=sections), left_out
