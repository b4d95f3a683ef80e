.PHONY: demo test test-fast test-openmmlab mutants check wheel-check format docs bench zoo clean

ENVIRONMENT = .ci/environment pyproject.toml
PEERS = torchopt==0.7.3 higher==0.2.1 optree==0.20.0 graphviz==0.21
PYTEST = OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist worksteal
OPENMMLAB = OMP_NUM_THREADS=1 .venv/openmmlab/bin/python -m pytest -n 2 --dist worksteal tests/openmmlab/own_packages.py \
	tests/adapters/test_mmseg.py tests/engine/test_resume.py::test_killed_in_the_second_epoch

demo: export OMP_WAIT_POLICY = PASSIVE # threads that wait sleep: far faster where other work shares the cores
demo: .venv/.demo ## learn a fusion loss on procedural scenes: a few minutes, nothing to download
	.venv/bin/metaloss train recommended/segformer_synthetic --work-dir work_dirs/demo --overwrite --cfg-options train_cfg.val_interval=2

test: check .venv/.openmmlab ## everything, with every framework
	$(PYTEST) --cov --cov-report=term:skip-covered --durations=15
	$(OPENMMLAB)

test-openmmlab: .venv/.openmmlab ## segmentation with OpenMMLab's own packages, in an environment of their own
	$(OPENMMLAB)

test-fast: .venv/.full ## what takes seconds
	$(PYTEST) -m "not slow"

mutants: .venv/.full ## do the fast tests notice 125 faults, one at a time in a copy: half an hour, goes on where it was stopped; OF=metrics: those of the metrics alone
	.venv/bin/python tests/mutations/mutate.py $(if $(OF),--of $(OF))

check: .venv/.full ## style, types, layers, docstrings
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python tests/docs/docstrings.py

format: .venv/.full
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

wheel-check: ## the wheel in an empty environment, used there, and the core tests: PYTHON=python3.12 TORCH=2.8.0 for others than these
	python3 tests/install/check_wheel.py --tests $(if $(PYTHON),--python $(PYTHON)) $(if $(TORCH),--torch $(TORCH))

docs: .venv/.full ## the documentation's site, in site/: half a minute; a warning is an error
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

bench: .venv/.full .venv/.peers ## cost of the meta-gradient and of inference against other ways: 40 minutes
	.venv/bin/python -m benchmarks.meta_gradient
	.venv/bin/python -m benchmarks.inference

zoo: .venv/.full ## which models of the frameworks' own zoos work as tasks: two hours, goes on where it was stopped
	.venv/bin/python -m benchmarks.zoo --page docs/zoo.md

clean:
	rm -rf .venv work_dirs build dist site

.venv/.full: $(ENVIRONMENT)
	.ci/environment full

.venv/.openmmlab: $(ENVIRONMENT)
	.ci/environment openmmlab

# what the benchmark compares with, in a folder of its own: on the path of the processes that measure it, of no others
.venv/.peers: Makefile | .venv/.full
	.venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --upgrade --target .venv/peers $(PEERS)
	touch $@

.venv/.demo: $(ENVIRONMENT)
	.ci/environment demo
