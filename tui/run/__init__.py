"""The *Run* area: configure, start and control simulations."""
