.PHONY: demo test test-fast check format bench docs clean

ENVIRONMENT = .ci/environment pyproject.toml
PYTEST = OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist worksteal

demo: export OMP_WAIT_POLICY = PASSIVE # threads that wait sleep: far faster where other work shares the cores
demo: .venv/.demo ## train TDFusion on procedural scenes: a few minutes, nothing to download
	.venv/bin/metaloss train tdfusion/segformer_synthetic --work-dir work_dirs/demo

test: check ## everything, with every framework
	$(PYTEST) --cov --cov-report=term:skip-covered --durations=15

test-fast: .venv/.full ## what takes seconds
	$(PYTEST) -m "not slow"

check: .venv/.full ## style, types, layers
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

format: .venv/.full
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

bench: .venv/.full ## memory of a meta step, each in its own process
	.venv/bin/python benchmarks/memory.py

clean:
	rm -rf .venv work_dirs build dist

.venv/.full: $(ENVIRONMENT)
	.ci/environment full

.venv/.demo: $(ENVIRONMENT)
	.ci/environment demo
