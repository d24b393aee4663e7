"""Sets up and runs simulations."""
