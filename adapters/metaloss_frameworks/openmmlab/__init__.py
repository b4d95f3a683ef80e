"""What the adapters of OpenMMLab's packages share; needs MMEngine alone."""
