# The verifier takes this place.
