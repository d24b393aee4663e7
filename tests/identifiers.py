"""Ids for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from broker.identifiers import canonical, identifier_problem


def valid_ids(max_size: int = 40) -> st.SearchStrategy[str]:
    """Draw ids that the rule allows, in their one form."""
    characters = st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])
    texts = st.text(characters, min_size=1, max_size=max_size).map(canonical)
    return texts.filter(lambda text: identifier_problem(text) is None)
