"""One self-contained page about finished and unfinished trainings: ``metaloss report``."""
