"""Training: noise, loss, samples and the loop that every trained predictor shares."""
