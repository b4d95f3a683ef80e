"""Does a loss that was learned from the task help it? Problems, runs, scores, tables and figures."""
