# Thin front of meson and ninja.  `make help` lists the targets.
BUILD ?= build
STATIC = $(BUILD)/static
DEV = $(BUILD)/dev

.PHONY: all
all: $(STATIC)/build.ninja
	ninja -C $(STATIC)

$(STATIC)/build.ninja:
	CC=musl-gcc meson setup $(STATIC) -Dstatic=true -Dtests=false

$(DEV)/build.ninja:
	meson setup $(DEV)

.PHONY: dev
dev: $(DEV)/build.ninja
	ninja -C $(DEV)

.PHONY: clean
clean:
	rm -rf $(BUILD)
