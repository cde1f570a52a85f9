"""Regions: where is what? Box proposals, a probe for each name, detections and free names."""
