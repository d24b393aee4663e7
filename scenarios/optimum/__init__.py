"""The clairvoyant optimum: best known plan and proven bound."""
