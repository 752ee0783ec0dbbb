# Makefile: builds everything under $(BUILD); the verbs that do more are tess's.
#
#   make [CC=clang BUILD=build-clang] [V=1]
#
# One set of rules per flavour of object code, named after who runs it: kernel,
# native (ring 3), module (ring 1), host (tools), test (host, with sanitizers),
# tsan (host, with ThreadSanitizer), fuzz (clang's libFuzzer). An object's path is its flavour, then its source's
# path. Sources are found, not listed; *_test.c, *_fuzz.c and *_host.c are in no product.

BUILD ?= build
# One spelling, for objects remember by name what they were built from.
override BUILD := $(patsubst $(CURDIR)/%,%,$(abspath $(BUILD)))
V ?= 0
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin LD),default)
LD := ld
endif
FUZZ_CC ?= clang
GUEST_CC ?= gcc
MUSL_CC ?= musl-gcc
RUNS ?= 1000000

.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif

say = $(if $(filter 0,$(V)),@printf '  %-8s %s\n' '$(1)' '$(patsubst $(BUILD)/%,%,$@)';)
ifneq ($(findstring s,$(firstword -$(MAKEFLAGS))),)
say = @
endif

# -- sources ------------------------------------------------------------------

found := $(shell find abi bench core drv iis kernel lib os rt srv test tools \
           '(' -name '*.[cS]' -o -name '*.capnp' ')' -type f 2>/dev/null | LC_ALL=C sort)
product := $(filter-out %_test.c %_fuzz.c %_host.c,$(found))

schemas := $(filter abi/%.capnp tools/%.capnp test/boot/native/%.capnp,$(found))
core := $(filter core/%.c,$(product))
lib := $(filter lib/%.c,$(product))
rt := $(filter-out rt/native_% rt/module_%,$(filter rt/%.c rt/%.S,$(product)))
rt_native := $(rt) $(filter rt/native_%,$(product))
rt_module := $(rt) $(filter rt/module_%,$(product))
plugin := $(filter tools/capnpc/%.c,$(product)) core/capnp.c
trace_mains := tools/trace/show.c tools/trace/replay.c
trace := $(filter-out $(trace_mains),$(filter tools/trace/%.c,$(product))) core/capnp.c core/elf.c

# -- flavours -----------------------------------------------------------------

warn := -Wall -Wextra -Werror
common := -std=c17 -g $(warn) -I. -I$(BUILD)/gen
bare := $(common) -O2 -ffreestanding -fno-stack-protector -fno-omit-frame-pointer \
        -mgeneral-regs-only -ffunction-sections -fdata-sections
sanitize := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# The exokernel is to be small (doc/design/size.md): nothing in it needs the stack
# aligned to more than 8 bytes (without SSE none may), nothing is padded for the fetch
# of instructions, nor made longer for the order in which they run.
small := -mno-sse -falign-functions=1 -falign-loops=1 $(if $(findstring clang,$(CC)),\
        -mstack-alignment=8,\
        -falign-jumps=1 -mpreferred-stack-boundary=3 -fno-schedule-insns2 -malign-data=abi -freorder-blocks-algorithm=simple)
flags_kernel := $(bare) -fno-pic -mcmodel=kernel -mno-red-zone -momit-leaf-frame-pointer $(small)
flags_native := $(bare) -fno-pic
flags_module := $(bare) -fPIE -include rt/module_visibility.h -mno-red-zone
flags_plugin := -std=gnu17 -D_GNU_SOURCE -g $(warn) -O1 -I.
flags_host := -std=gnu17 -D_GNU_SOURCE -g $(warn) -O1 -I. -I$(BUILD)/gen
flags_test := -std=gnu17 -D_GNU_SOURCE -g $(warn) -O1 -I. -I$(BUILD)/gen $(sanitize)
# Of a fence the sanitizer learns no order: no test has it learn one there.
flags_tsan := $(flags_host) -fsanitize=thread $(if $(findstring clang,$(CC)),,-Wno-tsan)
flags_fuzz := $(flags_test) -fsanitize=fuzzer-no-link

# What every system call, fault and fork runs through is compiled for speed; the
# rest of the exokernel for size (doc/design/size.md).
hot := fastpath quick ring park call sched kmem space space_walk
hot := $(hot:%=kernel/%.c)
cold := $(filter-out $(hot),$(filter kernel/%.c,$(product)) $(core))
$(cold:%=$(BUILD)/obj/kernel/%.o): flags_kernel += -Os $(if $(findstring clang,$(CC)),,\
        -fno-tree-loop-im -fno-move-loop-invariants)

# There gcc and clang inline more than it saves instructions, unless told what to.
$(BUILD)/obj/kernel/kernel/space.c.o: flags_kernel += -fno-inline-functions

# What the gate keeps itself, these need not (kernel/fastpath.c): only gcc can be told.
# Nobody is above them in a backtrace. gcc's peepholes make two instructions of one that
# compares memory with 0, or stores 0.
$(BUILD)/obj/kernel/kernel/quick.c.o: flags_kernel += -fomit-frame-pointer
$(BUILD)/obj/kernel/kernel/fastpath.c.o: flags_kernel += -fomit-frame-pointer $(if $(findstring clang,$(CC)),,\
        -fno-peephole2 -mpreferred-stack-boundary=4 $(addprefix -fcall-used-,rbx r12 r13 r14 r15))

objects = $(patsubst %,$(BUILD)/obj/$(1)/%.o,$(2))

# $(call flavour,NAME,COMPILER,PREREQUISITE): the objects of one flavour.
define flavour
$(BUILD)/obj/$(1)/%.c.o: %.c Makefile | $(3)
	@mkdir -p $$(@D)
	$$(call say,$(2))$(2) $$(flags_$(1)) -MMD -MP -c $$< -o $$@
$(BUILD)/obj/$(1)/%.S.o: %.S Makefile | $(3)
	@mkdir -p $$(@D)
	$$(call say,AS)$(2) $$(flags_$(1)) -MMD -MP -c $$< -o $$@
endef

accessors := $(BUILD)/gen/.made
setup := $(if $(SETUP),,setup)  # tess has done it when it says SETUP=done
$(foreach f,kernel native module host test tsan,$(eval $(call flavour,$(f),$(CC),$(accessors))))
$(eval $(call flavour,fuzz,$(FUZZ_CC),$(accessors)))
$(eval $(call flavour,plugin,$(CC),$(setup)))

# -- what is built ------------------------------------------------------------

kernel := $(BUILD)/kernel/tessera.elf
iis := $(BUILD)/iis/iis.elf
linux := $(BUILD)/os/linux.mod
initrd := $(BUILD)/initrd.cpio
manifest := $(BUILD)/manifest-linux.bin
bundle := $(BUILD)/bundle-linux.img
mkbundle := $(BUILD)/host/mkbundle
mksymtab := $(BUILD)/host/mksymtab
mkinitrd := $(BUILD)/host/mkinitrd
check := $(BUILD)/host/manifest-check
trace_tools := $(BUILD)/host/trace-show $(BUILD)/host/trace-replay
busybox := build/deb/busybox-static/bin/busybox

.PHONY: all products setup run test prove debug bench fuzz clean help
all: products
products: $(kernel) $(bundle) $(trace_tools) doc/linux-syscalls.md

# A page of the book that is made from the table it is about.
doc/linux-syscalls.md: os/linux/syscalls.def tools/syscalls.sh
	$(call say,DOC)tools/syscalls.sh < $< > $@

setup:
	@tools/setup.sh build

# A list of the sources, so that what is linked from them is linked again when
# one comes or goes.
sources := $(BUILD)/sources
$(shell mkdir -p $(BUILD))
ifneq ($(strip $(found)),$(strip $(file <$(sources))))
$(file >$(sources),$(found))
endif

# Accessors: written aside, then moved where they differ, so that a schema that
# changes rebuilds its own users only.
$(BUILD)/host/capnpc-tess: $(call objects,plugin,$(plugin))
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $^ -o $@

$(accessors): $(BUILD)/host/capnpc-tess $(schemas) $(sources)
	$(call say,CAPNP)rm -rf $(@D).new && mkdir -p $(@D) $(@D).new && \
	capnp compile -I. -o $<:$(@D).new --src-prefix=. $(schemas) && \
	tools/refresh.sh $(@D).new $(@D) && touch $@

# Included, though empty: make sees to it before all else, and then starts over.
# Else it may have looked at a header already when that is made anew, and keep
# objects of the one before.
ifneq ($(filter-out setup run test debug bench fuzz help clean,$(or $(MAKECMDGOALS),all)),)
include $(accessors)
endif

$(mkinitrd): $(call objects,host,tools/mkinitrd.c)
$(mkbundle): $(call objects,host,tools/mkbundle.c core/bundle.c core/capnp.c core/elf.c)
$(mksymtab): $(call objects,host,tools/symtab/main.c tools/symtab/encode.c)
$(check): $(call objects,host,tools/manifest/manifest-check.c core/manifest.c core/capnp.c)
$(trace_tools): $(BUILD)/host/trace-%: $(call objects,host,tools/trace/%.c $(trace))
$(mkinitrd) $(mkbundle) $(mksymtab) $(check) $(trace_tools):
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $^ -o $@

link := $(LD) -nostdlib -static --gc-sections --build-id=none \
        -z noexecstack -z max-page-size=4096

# $(call link_bare,SCRIPT): what the guest gets is stripped; gdb has X.debug.
link_bare = $(link) -T $(1) $(filter %.o %.a,$^) -o $@.debug && objcopy -S $@.debug $@

# The kernel is linked twice: first to learn where its functions are, then with
# a table of them for backtraces.
kernel_objects := $(call objects,kernel,$(filter kernel/%,$(product)) $(core))
link_kernel := $(link) -O2 -T kernel/arch/x86_64/kernel.ld
define symbols
$(mksymtab) < $(2) > $(1).S && $(CC) $(flags_kernel) -c $(1).S -o $(1).o
endef
$(kernel): $(kernel_objects) kernel/arch/x86_64/kernel.ld $(mksymtab) $(sources)
	@mkdir -p $(@D)
	$(call say,LINK)$(call symbols,$(@D)/empty,/dev/null) && \
	$(link_kernel) $(kernel_objects) $(@D)/empty.o -o $(@D)/first && \
	nm -n --defined-only $(@D)/first > $(@D)/first.nm && \
	$(call symbols,$(@D)/symbols,$(@D)/first.nm) && \
	$(link_kernel) $(kernel_objects) $(@D)/symbols.o -o $@

# What a native program may take from, if it needs it.
native_base := $(BUILD)/native.a
$(native_base): $(call objects,native,$(lib) $(core)) $(sources)
	$(call say,AR)rm -f $@ && ar rcs $@ $(filter %.o,$^)

$(iis): $(call objects,native,$(filter iis/%,$(product)) $(rt_native)) \
        $(native_base) iis/iis.ld $(sources)
	@mkdir -p $(@D)
	$(call say,LINK)$(call link_bare,iis/iis.ld)

$(linux): $(call objects,module,$(filter os/linux/%,$(product)) $(lib) $(rt_module) $(core)) \
          os/linux/linux.ld $(sources)
	@mkdir -p $(@D)
	$(call say,LINK)$(call link_bare,os/linux/linux.ld)

# -- the boot bundle ----------------------------------------------------------

$(busybox): | $(setup)
	@test -f $@

$(BUILD)/applets.list: $(busybox)
	$(call say,LIST)$< --list-full | sed -n 's|^\(.*bin/.*\)|link /\1 /bin/busybox|p' | \
	grep -v ' .*/busybox /' > $@

initrd_parts := sys/linux.list $(BUILD)/applets.list $(wildcard sys/linux/* sys/linux/*/*)
$(initrd): $(mkinitrd) $(initrd_parts) $(busybox) $(linux)
	$(call say,INITRD)$(mkinitrd) $@ -l sys/linux.list -l $(BUILD)/applets.list \
	-a $(busybox) /bin/busybox -a $(linux) /boot/linux.mod

$(manifest): sys/linux.capnp abi/manifest.capnp $(check)
	$(call say,CAPNP)capnp eval -I. $< system --output=flat > $@ && $(check) $< < $@

$(bundle): $(mkbundle) $(iis) $(manifest) $(initrd)
	$(call say,BUNDLE)$(mkbundle) $@ $(iis) manifest=$(manifest) initrd=$(initrd)

# -- programs that tests and benchmarks run in the guest ----------------------

guest := -std=gnu17 -O2 -g -static $(warn) -I. -I$(BUILD)/gen -pthread
boot_native := $(patsubst %.c,$(BUILD)/%,$(filter test/boot/native/%.c,$(product)))
boot_module := $(patsubst %.c,$(BUILD)/%.mod,$(filter test/boot/modules/%.c,$(product)))
boot_linux := $(patsubst %.c,$(BUILD)/%,$(filter test/boot/linux/%.c,$(product)))
bench_guest := $(patsubst %.c,$(BUILD)/%,$(filter bench/guest/%.c,$(product)))
bench_native := $(BUILD)/bench/native/caps

$(boot_native): $(BUILD)/%: $(BUILD)/obj/native/%.c.o \
                $(call objects,native,$(rt_native)) $(native_base) iis/iis.ld $(sources)
	@mkdir -p $(@D)
	$(call say,LINK)$(call link_bare,iis/iis.ld)

# An initial init system that does more than the real one.
$(BUILD)/test/boot/native/linux_stages: $(call objects,native,iis/handover.c)

$(bench_native): $(call objects,native,$(filter bench/native/%,$(product)) $(rt_native)) \
                 $(native_base) iis/iis.ld $(sources)
	@mkdir -p $(@D)
	$(call say,LINK)$(call link_bare,iis/iis.ld)

$(boot_module): $(BUILD)/%.mod: $(BUILD)/obj/module/%.c.o \
                $(call objects,module,$(rt_module) $(core)) os/linux/linux.ld $(sources)
	@mkdir -p $(@D)
	$(call say,LINK)$(call link_bare,os/linux/linux.ld)

$(BUILD)/test/boot/linux/%_musl: test/boot/linux/%_musl.c Makefile
	@mkdir -p $(@D)
	$(call say,MUSL)$(MUSL_CC) $(guest) -MMD -MP $< -o $@
$(BUILD)/test/boot/linux/% $(BUILD)/bench/guest/%: guest_compile = \
	$(GUEST_CC) $(guest) -MMD -MP $< $(filter %.o,$^) -o $@
# One that speaks to the exokernel takes the codec along.
$(BUILD)/test/boot/linux/inspector_attack: $(call objects,host,core/capnp.c)
$(BUILD)/test/boot/linux/%: test/boot/linux/%.c Makefile | $(accessors)
	@mkdir -p $(@D)
	$(call say,GUEST)$(guest_compile)
$(BUILD)/bench/guest/%: bench/guest/%.c Makefile
	@mkdir -p $(@D)
	$(call say,GUEST)$(guest_compile)

# -- host tests and fuzzing ---------------------------------------------------

host_tests := $(patsubst %.c,$(BUILD)/test/%, \
                $(filter core/%_test.c kernel/%_test.c lib/%_test.c os/%_test.c tools/%_test.c \
                         test/sim/%_test.c,$(found)))
tsan_tests := $(filter %_tsan_test,$(host_tests))
fuzzers := $(patsubst %.c,$(BUILD)/fuzz/%,$(filter core/%_fuzz.c kernel/%_fuzz.c lib/%_fuzz.c tools/%_fuzz.c,$(found)))
trace_tested := $(BUILD)/test/tools/trace/show $(BUILD)/test/tools/trace/replay
tested := $(core) $(lib) $(filter tools/capnpc/%.c tools/symtab/%.c test/sim/%.c,$(product)) $(filter lib/%_host.c,$(found))
tested := $(filter-out %/main.c,$(tested)) $(filter tools/trace/%,$(trace))

# An archive: what a test includes as source is then not taken twice.
$(BUILD)/test/tested.a: $(call objects,test,$(tested)) $(sources)
	@mkdir -p $(@D)
	$(call say,AR)rm -f $@ && ar rcs $@ $(filter %.o,$^)
$(BUILD)/fuzz/tested.a: $(call objects,fuzz,$(tested)) $(sources)
	@mkdir -p $(@D)
	$(call say,AR)rm -f $@ && ar rcs $@ $(filter %.o,$^)

$(filter-out $(tsan_tests),$(host_tests)): $(BUILD)/test/%: $(BUILD)/obj/test/%.c.o $(BUILD)/test/tested.a
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(flags_test) $^ -lcmocka -o $@
# Races are looked for in what is included as source.
$(tsan_tests): $(BUILD)/test/%: $(BUILD)/obj/tsan/%.c.o
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(flags_tsan) $^ -lcmocka -o $@
$(fuzzers): $(BUILD)/fuzz/%: $(BUILD)/obj/fuzz/%.c.o $(BUILD)/fuzz/tested.a
	@mkdir -p $(@D)
	$(call say,LINK)$(FUZZ_CC) $(flags_fuzz) -fsanitize=fuzzer $^ -o $@

# The trace's tools as boot tests use them: with sanitizers.
$(trace_tested): $(BUILD)/test/%: $(BUILD)/obj/test/%.c.o $(BUILD)/test/tested.a
	@mkdir -p $(@D)
	$(call say,LINK)$(CC) $(flags_test) $^ -o $@

.PHONY: host-tests fuzzers boot-tests bench-programs
host-tests: $(host_tests) $(BUILD)/host/capnpc-tess
fuzzers: $(fuzzers)
boot-tests: products $(boot_native) $(boot_module) $(boot_linux) $(trace_tested)
bench-programs: products $(bench_guest) $(bench_native)

# -- verbs --------------------------------------------------------------------

# tess starts a make of its own, which must not look for this one's jobs.
tess := +@env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL BUILD='$(BUILD)' CC='$(CC)' ./tess

run: ; $(tess) run
test: ; $(tess) test
prove: ; $(tess) prove
debug: ; $(tess) debug
bench: ; $(tess) bench
fuzz: ; $(tess) test --fuzz --runs $(RUNS)
help: ; $(tess) help

outputs := obj gen gen.new host kernel iis os test fuzz bench prove run sources native.a \
           initrd.cpio applets.list manifest-linux.bin bundle-linux.img
clean:
	rm -rf $(addprefix $(BUILD)/,$(outputs))

-include $(shell find $(BUILD)/obj $(BUILD)/test $(BUILD)/bench -name '*.d' 2>/dev/null)
