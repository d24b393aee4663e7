"""A contract for import-linter: every package has a front door, and others come in by it only."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class FrontDoorContract(Contract):
    """Modules of a package are imported by the package itself and by what lies in it; all others import the package.

    Configuration options:
        public_modules: Modules that others may import as they are.
    """

    type_name = "front_doors"
    public_modules = fields.SetField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001 - import-linter's signature
        """Return the imports that pass a front door by."""
        del verbose
        public = set(cast("Collection[str] | None", self.public_modules) or ())  # import-linter puts the values there
        ours = {module for module in graph.modules if not graph.is_module_squashed(module)}
        packages = {module for module in ours if graph.find_children(module)}
        passed_by = []
        for importer in sorted(ours):
            home = importer if importer in packages else importer.rpartition(".")[0]
            for imported in sorted(graph.find_modules_directly_imported_by(importer)):
                package = imported.rpartition(".")[0]
                is_inside = home == package or home.startswith(f"{package}.")
                if package and imported in ours and imported not in packages | public and not is_inside:
                    passed_by.append((importer, imported))
        return ContractCheck(kept=not passed_by, metadata={"passed_by": passed_by})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print the imports that pass a front door by."""
        for importer, imported in check.metadata["passed_by"]:
            package = imported.rpartition(".")[0]
            output.print_error(f"{importer} imports {imported}: import it from {package}, whose __all__ names it")
