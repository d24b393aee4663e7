from .clouds import (
    pvlib_irradiance as pvlib_irradiance,
)
from .generated_file import (
    INLINE_HOUSE_DAYS as INLINE_HOUSE_DAYS,
    INLINE_ROOF_DAYS as INLINE_ROOF_DAYS,
    generated_yaml as generated_yaml,
    write_series as write_series,
)
from .generator import (
    Generated as Generated,
    GeneratorSpec as GeneratorSpec,
    generate as generate,
)
from .roofs import (
    clear_sky_power as clear_sky_power,
)
from .solar import (
    Roof as Roof,
    Site as Site,
    clear_irradiance as clear_irradiance,
    usual_zone as usual_zone,
)

__all__ = [
    "INLINE_HOUSE_DAYS",
    "INLINE_ROOF_DAYS",
    "Generated",
    "GeneratorSpec",
    "Roof",
    "Site",
    "clear_irradiance",
    "clear_sky_power",
    "generate",
    "generated_yaml",
    "pvlib_irradiance",
    "usual_zone",
    "write_series",
]
