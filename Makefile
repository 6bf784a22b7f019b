# make setup | demo | test | test-slow | test-cuda | matrix | bench | bench-docs |
# docs | lint | results | lock | clean. Settings: PYTHON, VENV, TORCH, WITH, INSTALL, see docs/install.md.
PYTHON ?= python3
VENV ?= .venv
TORCH ?=
WITH ?=
INSTALL ?= editable
CHANGES = $(if $(TORCH),torch==$(TORCH)) $(WITH)
CONFIG = td-srpose_res18_1xb16-5e_toy-128x96.py
OUT ?= work_dirs/demo
CHECKPOINT = $(OUT)/epoch_5.pth

READY = $(VENV)/ready
RUN = . $(VENV)/bin/activate &&

.PHONY: setup demo test test-slow test-cuda matrix bench bench-docs docs lint \
	results lock clean

setup:
	@$(PYTHON) scripts/setup_env.py --venv $(VENV) --install $(INSTALL) \
		$(if $(strip $(CHANGES)),--with $(CHANGES))
	@touch $(READY)

# The environment, when it is not there or what it is made of has changed.
# A setting on the command line is looked at again.
$(READY): $(if $(strip $(CHANGES))$(filter wheel,$(INSTALL)),FORCE) \
		requirements/lock.txt requirements/openmmlab.txt setup.py \
		scripts/setup_env.py scripts/build_wheels.py
	@$(MAKE) --no-print-directory setup

FORCE:

demo: $(READY)
	$(RUN) mim run srpose_mm predict docs/images/skater.jpg \
		--out-dir $(OUT)/photograph
	$(RUN) mim run srpose_mm make_toy_dataset data/toy_coco
	$(RUN) mim train srpose_mm $(CONFIG) --work-dir $(OUT) --no-validate
	$(RUN) mim test srpose_mm $(CONFIG) --checkpoint $(CHECKPOINT) \
		--work-dir $(OUT)/test --out $(OUT)/metrics.json
	$(RUN) mim run srpose_mm visualize configs/demo/$(CONFIG) $(CHECKPOINT) \
		--out-dir $(OUT)/pictures
	@$(RUN) python -c "import json; print('AP on the toy val split:', \
		json.load(open('$(OUT)/metrics.json'))['coco/AP'])"

test: lint
	$(RUN) OMP_NUM_THREADS=1 python -m pytest -m 'not slow' -n logical

test-slow: $(READY)
	$(RUN) python -m pytest -m slow

# The tests that need a GPU.
test-cuda: $(READY)
	$(RUN) python -m pytest -m cuda

# The quick tests on the oldest, the default and the newest stack.
matrix:
	@$(PYTHON) scripts/matrix.py

# Speed and memory beside MMPose's heads; it takes the machine for itself.
bench: $(READY)
	$(RUN) python -m lab.benchmark --out-dir work_dirs/benchmark

# The published figures: about ten minutes on two cores that do nothing else.
bench-docs: $(READY)
	$(RUN) python -m lab.benchmark --measures aims prediction \
		--batch-sizes 1 8 --rounds 3 --seconds 0.3 --out-dir lab/benchmark/results
	mv lab/benchmark/results/benchmark.png docs/images

# The manual as a site, build/docs/index.html; a warning is an error.
docs: $(READY)
	$(RUN) python -m sphinx -W --keep-going -q -b html docs build/docs

lint: $(READY)
	$(RUN) ruff check .
	$(RUN) codespell
	$(RUN) lint-imports
	$(RUN) python scripts/results_pages.py --check
	$(RUN) python scripts/check_prose.py

# Write the results pages of the configs from their metafiles.
results: $(READY)
	$(RUN) python scripts/results_pages.py

# The newest versions into requirements/lock.txt; run `make matrix` after it.
lock:
	@$(PYTHON) scripts/setup_env.py --venv $(VENV) --lock

clean:
	rm -rf $(VENV) build dist *.egg-info $(OUT) data/toy_coco
