"""Styles that are parsed once for each theme, not whenever a screen opens."""

from __future__ import annotations

from typing import ClassVar

from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.css.types import CSSLocation
from typing_extensions import override

_Source = tuple[str, CSSLocation, bool, int, str]


class _Rule(RuleSet):
    """A rule whose hash is its identity, as Textual's is, but computed without calling Python code.

    To style a widget, Textual looks up each of some 450 rules in a set. The calls took a tenth of the processor time of
    opening an area.
    """

    __hash__ = object.__hash__


class ParsedStyles(Stylesheet):
    """A style sheet that keeps the rules of each source.

    Textual keeps those of 64 sources. We have more, so it parses all of them again for each kind of widget that appears
    for the first time, and whenever an area opens: that took a tenth of the time until a screen was shown.
    """

    _PARSED: ClassVar[dict[frozenset[tuple[str, str]], dict[_Source, list[RuleSet]]]] = {}
    """By the variables of a theme, and source."""

    def __init__(self, *, variables: dict[str, str] | None = None) -> None:
        super().__init__(variables=variables)
        self._parsed = self._of(self._variables)

    @override
    def set_variables(self, variables: dict[str, str]) -> None:
        """Set the variables of a theme.

        Args:
            variables: Values by their names.
        """
        super().set_variables(variables)
        self._parsed = self._of(variables)

    @override
    def reparse(self) -> None:
        """Apply new variables.

        Raises:
            StylesheetParseError: If a source has an error; the rules stay those of before.
        """
        self.parse()

    @override
    def _parse_rules(
        self,
        css: str,
        read_from: CSSLocation,
        is_default_rules: bool = False,
        tie_breaker: int = 0,
        scope: str = "",
    ) -> list[RuleSet]:
        source = (css, read_from, is_default_rules, tie_breaker, scope)
        if source not in self._parsed:
            rules = super()._parse_rules(css, read_from, is_default_rules, tie_breaker, scope)
            self._parsed[source] = [_Rule(**vars(rule)) for rule in rules]
        return self._parsed[source]

    @classmethod
    def _of(cls, variables: dict[str, str]) -> dict[_Source, list[RuleSet]]:
        return cls._PARSED.setdefault(frozenset(variables.items()), {})
