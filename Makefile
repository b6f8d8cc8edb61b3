# vpg_ros on a machine without a ROS installation. `make help` lists what there is.

PYTHON ?=
OBJECTS ?= 10
SEED ?= 0
SCENE ?= random
SIM_ARGS ?=
TESTS ?= test
PYTEST_ARGS ?=
TEST_JOBS ?= 2
REPEAT ?= 1
ACTIONS ?= 500
FAULT_ARGS ?=

# A sourced ROS installation, or another environment of ROS wheels, would mix with .venv.
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH PYTHONPATH PYTHONHOME
unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE LD_LIBRARY_PATH

.DEFAULT_GOAL := help
.PHONY: help setup sim test lint faults soak env clean distclean

help: ## list the targets and variables
	@echo 'Targets:'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s%s\n", $$1, $$2 }'
	@echo
	@echo 'Variables (make TARGET NAME=VALUE):'
	@echo '  PYTHON      interpreter to make .venv with; 3.11 or 3.12   [found by tools/find_python.sh]'
	@echo '  OBJECTS     number of objects on the table                 [$(OBJECTS)]'
	@echo '  SEED        seed of the scene                              [$(SEED)]'
	@echo '  SCENE       family of the scene                            [$(SCENE)]'
	@echo '  SIM_ARGS    more arguments of "vpg sim"                    [none]'
	@echo '  TESTS       test files or folders                          [$(TESTS)]'
	@echo '  PYTEST_ARGS more arguments of pytest                       [none]'
	@echo '  TEST_JOBS   processes that share the test files            [$(TEST_JOBS)]'
	@echo '  REPEAT      how often "make faults" makes every fault      [$(REPEAT)]'
	@echo '  ACTIONS     number of actions of "make soak"               [$(ACTIONS)]'
	@echo '  FAULT_ARGS  more arguments of either, such as --only arm   [none]'
	@echo
	@echo 'pip takes its settings from the environment: with PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS set to'
	@echo 'where the CPU wheels of PyTorch are, "make setup" saves the download of CUDA.'

setup: ## make .venv with everything in it, and build both packages; quick when nothing changed
	@python=$$(sh tools/find_python.sh $(PYTHON)) && "$$python" tools/setup_env.py

sim: setup ## clear a table in simulation
	@.venv/bin/vpg sim --objects $(OBJECTS) --seed $(SEED) --scene $(SCENE) $(SIM_ARGS)

test: setup ## run all tests, the linters among them
	@.venv/bin/python -m pytest $(TESTS) -n $(TEST_JOBS) --dist loadfile $(PYTEST_ARGS)

lint: setup ## run ruff, mypy and the import contract
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

faults: setup ## make every fault of the table in a running system, REPEAT times; runs/faults.json
	@.venv/bin/python -m benchmarks.faults --repeat $(REPEAT) $(FAULT_ARGS)

soak: setup ## carry out ACTIONS actions with a random fault every 20; runs/soak.json
	@.venv/bin/python -m benchmarks.faults.soak --actions $(ACTIONS) --seed $(SEED) $(FAULT_ARGS)

env: ## print the exports for a shell that calls colcon itself: eval "$(make -s env)"
	@echo 'export PATH="$(CURDIR)/.venv/bin:$$PATH"'
	@echo 'export AMENT_PREFIX_PATH="$(CURDIR)/.venv"'
	@echo 'export CMAKE_PREFIX_PATH="$(CURDIR)/.venv"'
	@echo 'unset PYTHONPATH LD_LIBRARY_PATH COLCON_PREFIX_PATH _ROS_WHEELS_BOOTSTRAP_COMPLETE'

clean: ## remove what was built, but not .venv nor runs/
	rm -rf build install log .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

distclean: clean ## remove .venv as well
	rm -rf .venv
