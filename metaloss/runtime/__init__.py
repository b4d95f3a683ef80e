"""What every room stands on: files, processes, modes, progress."""
