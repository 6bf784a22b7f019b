# make setup | demo | test | test-slow | matrix | bench | lint | results | clean
# Settings: PYTHON, VENV, TORCH, INSTALL, see projects_readme.md.
PYTHON ?= python3
VENV ?= .venv
TORCH ?=
INSTALL ?= editable
CONFIG = td-srpose_res18_1xb16-5e_toy-128x96.py
OUT ?= work_dirs/demo
CHECKPOINT = $(OUT)/epoch_5.pth

READY = $(VENV)/ready
RUN = . $(VENV)/bin/activate &&

.PHONY: setup demo test test-slow matrix bench lint results clean

setup:
	@$(PYTHON) scripts/setup_env.py --venv $(VENV) --install $(INSTALL) $(if $(TORCH),--torch $(TORCH))
	@touch $(READY)

# The environment, when it is not there or what it is made of has changed.
# A setting on the command line is looked at again.
$(READY): $(if $(TORCH)$(filter wheel,$(INSTALL)),FORCE) requirements.txt $(wildcard requirements/*.txt) setup.py scripts/setup_env.py
	@$(MAKE) --no-print-directory setup

FORCE:

demo: $(READY)
	$(RUN) mim run srpose_mm make_toy_dataset data/toy_coco
	$(RUN) mim train srpose_mm $(CONFIG) --work-dir $(OUT)
	$(RUN) mim test srpose_mm $(CONFIG) --checkpoint $(CHECKPOINT) \
		--work-dir $(OUT)/test --out $(OUT)/metrics.json
	$(RUN) mim run srpose_mm visualize configs/demo/$(CONFIG) $(CHECKPOINT) \
		--out-dir $(OUT)/pictures
	@$(RUN) python -c "import json; print('AP on the toy val split:', \
		json.load(open('$(OUT)/metrics.json'))['coco/AP'])"

test: lint
	$(RUN) python -m pytest -m 'not slow'

test-slow: $(READY)
	$(RUN) python -m pytest -m slow

# The quick tests with the oldest and the newest stack, where they are at hand.
matrix:
	@$(PYTHON) scripts/matrix.py

# Speed and memory beside MMPose's heads; it takes the machine for itself.
bench: $(READY)
	$(RUN) mim run srpose_mm benchmark --out-dir work_dirs/benchmark

lint: $(READY)
	$(RUN) ruff check .
	$(RUN) python scripts/results_pages.py --check
	$(RUN) python scripts/reference_page.py --check

# Write the results pages from the metafiles, the reference from the code and
# the measured tables into the manual.
results: $(READY)
	$(RUN) python scripts/results_pages.py
	$(RUN) python scripts/reference_page.py

clean:
	rm -rf $(VENV) build dist *.egg-info $(OUT) data/toy_coco
