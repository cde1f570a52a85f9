"""Models outside of PyTorch: written as ONNX, and opened again by onnxruntime."""
