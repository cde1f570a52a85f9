"""What a run is: `predictor` says which keys it has."""
