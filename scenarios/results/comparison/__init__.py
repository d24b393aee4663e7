"""Several simulations compared: statistics over seeds, tables and figures."""
