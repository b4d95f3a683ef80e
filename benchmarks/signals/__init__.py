"""What inner updates tell the loss of the task's wishes."""
