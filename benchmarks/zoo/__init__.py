"""Which models of the frameworks' own zoos work as tasks: tried one by one, written to ``docs/zoo.md``."""
