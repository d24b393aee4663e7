"""The foundation of all screens of the terminal application: the base screen, dialogs, themes, notices.

Each area of the application is a package (`tui/editor`, `tui/run`, `tui/monitor`, `tui/results`). To add one:

1. derive its first screen from `AreaScreen`: give it `AREA`, `TITLE`, `HELP` and `BINDINGS`, yield its widgets in
`compose_body`, and handle requests of other areas in `receive`; 2. add it to `tui.areas.AREAS` with its key and the
location of its screen class (which is imported when first shown).

The shell adds the bar of areas, the footer, `?` help, palette entries for every binding, and shows exceptions of
handlers as notices. Areas never import each other: one asks for another with an `Intent`, which the app delivers.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
