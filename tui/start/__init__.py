"""The start screen: recent neighbourhoods, rescued work, last results, bundled scenarios."""
