"""What the adapters of several frameworks share: silence, weight files, OpenMMLab's configs and preprocessing."""
