from .generated_file import (
    generated_yaml as generated_yaml,
    needs_tables as needs_tables,
    table_files as table_files,
    write_series as write_series,
)
from .generator import (
    GeneratedNeighbourhood as GeneratedNeighbourhood,
    GeneratorSpec as GeneratorSpec,
    generate as generate,
)
from .solar import (
    Roof as Roof,
    Site as Site,
    clear_irradiance as clear_irradiance,
    clear_sky_w as clear_sky_w,
    usual_zone as usual_zone,
)
from .weather import (
    pvlib_irradiance as pvlib_irradiance,
)

__all__ = [
    "GeneratedNeighbourhood",
    "GeneratorSpec",
    "Roof",
    "Site",
    "clear_irradiance",
    "clear_sky_w",
    "generate",
    "generated_yaml",
    "needs_tables",
    "pvlib_irradiance",
    "table_files",
    "usual_zone",
    "write_series",
]
