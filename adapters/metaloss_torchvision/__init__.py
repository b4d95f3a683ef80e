"""torchvision's segmentation networks and detectors as tasks, for metaloss."""
