"""Tables, charts and text that several screens use."""
