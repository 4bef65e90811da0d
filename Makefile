# idemstore: idempotency, dedupe, cache and rate limits inside PostgreSQL
#
#	make && make install && make installcheck	as any extension
#	make deps		install what is missing, through apt and npm
#	make quickstart		build, install, show it at work
#	make test		every suite, in a throw-away cluster
#	make test-assert	the same with the extension's assertions on
#	make test-ubsan		the same, and undefined behaviour ends the server
#	make test-asan		the same with the address sanitizer, on PostgreSQL 17
#	make test-valgrind	pg_regress in a server under valgrind
#	make test-cassert	the suites on a server with its own assertions on
#	make check-warnings	gcc and clang, for which a warning is an error
#	make test-compilers	some suites on the builds of clang, of -O3 and of LTO
#	make test-model		the model checker: DURATION=600 SEED=7
#	make test-model-selftest	does it see a protection that is gone?
#	make test-go		the Go client: clients/go
#	make dist-go		its module, as a Go proxy serves it
#	make test-python	the Python client: clients/python
#	make dist-python	its wheel
#	make test-node		the package for Node.js: clients/node
#	make dist-node		its tarball
#	make test-versions	every suite on PostgreSQL 15, 17, 18 and 19
#	make coverage		which lines of src/ the suites run
#	make check-arch		the rules on the code itself
#	make format		indent the C code
#	make deb		Debian packages, built and tried in bare Debians
#	make dist		the zip for PGXN, from the last commit
#	make test-image		build and try the container image
#	make bench		side by side with Redis and others: bench/results/
#	make bench-quick	the same in some minutes, and rougher
#	make bench-publish	make the last full run bench/report.md and its plots
#	make docs		the manual as a site, in site/
#
# Another PostgreSQL: make PG_CONFIG=/path/to/pg_config

EXTENSION = idemstore
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" idemstore.control)
MODULE_big = idemstore
OBJS := $(patsubst %.c,%.o,src/idemstore.c $(sort $(wildcard src/*/*.c src/*/*/*.c)))
PG_CPPFLAGS = -I$(srcdir)/src $(if $(ASSERT),-DUSE_ASSERT_CHECKING)
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -Wno-sign-compare \
	$(if $(SANITIZE),$(SANITIZER) -fno-omit-frame-pointer -fno-wrapv) $(if $(COVERAGE),--coverage -O0)
SHLIB_LINK = $(if $(SANITIZE),$(SANITIZER)) $(if $(COVERAGE),--coverage)
SANITIZER = -fsanitize=$(SANITIZE) -fno-sanitize-recover=all

# The install script: later fragments use what earlier ones create.
# INSTALL_SCRIPT and its like are variables of PGXS, and name programs.
SQL_FRAGMENTS = $(addprefix src/sql/,schema.sql idempotency.sql dedupe.sql cache.sql ratelimit.sql expiry.sql schedule.sql stats.sql stats_view.sql shard.sql privileges.sql)
CREATE_SCRIPT = $(EXTENSION)--$(EXTVERSION).sql
# The script from the last version to this one: what becomes of its objects,
# then the fragments that it did not have, and privileges.sql.
LAST_VERSION = 0.2.0
NEW_FRAGMENTS = $(addprefix src/sql/,stats_view.sql shard.sql privileges.sql)
UPDATE_FRAGMENTS = src/sql/upgrade/$(LAST_VERSION)--$(EXTVERSION).sql $(NEW_FRAGMENTS)
UPDATE_SCRIPT = $(EXTENSION)--$(LAST_VERSION)--$(EXTVERSION).sql
# The scripts of earlier versions, which never change.
RELEASED_SCRIPTS := $(notdir $(wildcard src/sql/released/*.sql))
DATA_built = $(CREATE_SCRIPT) $(UPDATE_SCRIPT) $(RELEASED_SCRIPTS)

# Every test in sql/ stands on its own, but setup goes first if it exists.
REGRESS_NAMES := $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
REGRESS := $(filter setup,$(REGRESS_NAMES)) $(filter-out setup,$(REGRESS_NAMES))
REGRESS_OPTS = --load-extension=$(EXTENSION)
# A server as it comes has no prepared transactions: PREPARED_TXNS=1 tests them.
ISOLATION_NAMES := $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION := $(filter-out $(if $(PREPARED_TXNS),,%-prepared),$(ISOLATION_NAMES))
ISOLATION_OPTS = --inputdir=$(srcdir)/test/isolation --load-extension=$(EXTENSION)
TAP_TESTS = 1
PROVE_TESTS = $(sort $(wildcard test/tap/*.pl))

EXTRA_CLEAN = build.flags

PG_CONFIG ?= $(or $(shell command -v pg_config 2>/dev/null),$(wildcard /usr/lib/postgresql/15/bin/pg_config),pg_config)
PGXS := $(shell '$(PG_CONFIG)' --pgxs 2>/dev/null)

ifneq ($(wildcard $(PGXS)),)
include $(PGXS)

# PGXS tracks neither headers nor flags: an object depends on all of both.
$(OBJS) $(OBJS:.o=.bc): build.flags $(wildcard src/*/*.h src/*/*/*.h)

build.flags: force
	@echo '$(VERSION) $(CC) $(CFLAGS) $(CPPFLAGS)' | cmp -s - $@ || \
		echo '$(VERSION) $(CC) $(CFLAGS) $(CPPFLAGS)' >$@

$(CREATE_SCRIPT): $(SQL_FRAGMENTS) Makefile idemstore.control
	cat $(SQL_FRAGMENTS) >$@

$(UPDATE_SCRIPT): $(UPDATE_FRAGMENTS) Makefile idemstore.control
	cat $(UPDATE_FRAGMENTS) >$@

$(RELEASED_SCRIPTS): %: src/sql/released/%
	cp $< $@

check-arch: all
	prove test/arch/check.pl test/arch/selftest.pl
else
# "make deps" and what begins with it must work before PostgreSQL is there.
all install installcheck clean check-arch:
	@echo "no server headers found through PG_CONFIG=$(PG_CONFIG): run make deps" >&2; exit 1
endif

deps:
	@PG_CONFIG='$(PG_CONFIG)' test/deps

# Each step is a make of its own: only after deps can this file include PGXS.
test: deps
	+$(MAKE) --no-print-directory install
	PG_CONFIG='$(PG_CONFIG)' test/run $(SUITES)

test-model: deps
	+$(MAKE) --no-print-directory install
	PG_CONFIG='$(PG_CONFIG)' SEED='$(SEED)' DURATION='$(DURATION)' test/model/start

test-model-selftest: deps
	+$(MAKE) --no-print-directory install
	PG_CONFIG='$(PG_CONFIG)' test/model/start selftest

test-go: deps
	+$(MAKE) --no-print-directory install
	PG_CONFIG='$(PG_CONFIG)' test/run go

dist-go: deps
	clients/go/dist $(EXTVERSION)

test-python: deps
	+$(MAKE) --no-print-directory install
	PG_CONFIG='$(PG_CONFIG)' test/run python

dist-python: deps
	clients/python/dist $(EXTVERSION)

test-node: deps
	+$(MAKE) --no-print-directory install
	PG_CONFIG='$(PG_CONFIG)' test/run node

dist-node: deps
	clients/node/dist $(EXTVERSION)

test-versions:
	SUITES='$(SUITES)' test/versions $(VERSIONS)

# Build with the settings, run the command, build as usual again.
define with_build
	+$(MAKE) --no-print-directory install with_llvm=no $(1)
	+status=0; $(2) || status=$$?; $(MAKE) --no-print-directory install && exit $$status
endef

# The arch suite looks at what is shipped.
RUN_SUITES = PG_CONFIG='$(PG_CONFIG)' test/run unit regress isolation pgtap tap

# what clang says of the server's own flags and headers
NOT_OURS = -Wno-ignored-optimization-argument -Wno-unknown-warning-option -Wno-unused-command-line-argument \
	-Wno-compound-token-split-by-macro -Wno-ignored-attributes
BY_CLANG = CC=$(or $(shell command -v clang),clang-14) COPT='-Werror $(NOT_OURS)'
check-warnings: deps
	+$(MAKE) --no-print-directory with_llvm=no $(BY_CLANG) all
	+$(MAKE) --no-print-directory with_llvm=no COPT=-Werror all

SOME_SUITES = PG_CONFIG='$(PG_CONFIG)' test/run unit regress isolation pgtap
test-compilers: deps
	$(call with_build,$(BY_CLANG),$(SOME_SUITES))
	$(call with_build,COPT='-O3 -Werror',$(SOME_SUITES))
	$(call with_build,COPT='-flto=auto -Werror',$(SOME_SUITES))

test-assert: deps
	$(call with_build,ASSERT=1,$(RUN_SUITES))

test-ubsan: deps
	$(call with_build,ASSERT=1 SANITIZE=undefined,UNIT_CFLAGS='$(SANITIZER)' $(RUN_SUITES))
test-ubsan: SANITIZE = undefined

# A preloaded sanitizer hangs in the host's own server, in these it does not.
test-asan:
	test/chroot 17 make --no-print-directory with_llvm=no test-asan-here

test-asan-here: deps
	$(call with_build,ASSERT=1 SANITIZE=address,UNIT_CFLAGS='$(SANITIZER)' \
		ASAN_OPTIONS=detect_leaks=0:abort_on_error=1 LD_PRELOAD="$$($(CC) -print-file-name=libasan.so)" $(RUN_SUITES))
test-asan-here: SANITIZE = address

test-valgrind: deps
	+$(MAKE) --no-print-directory install
	PG_CONFIG='$(PG_CONFIG)' test/valgrind $(SERVERS)/source-15

# In races and storms, a server that forgets all the time gets nowhere.
CASSERT = $(SERVERS)/cassert-15
test-cassert: deps
	PG_CONFIG='$(PG_CONFIG)' test/cassert $(CASSERT)
	$(call with_build,ASSERT=1 PG_CONFIG=$(CASSERT)/server/bin/pg_config,PG_CONFIG=$(CASSERT)/server/bin/pg_config \
		sh -c 'SERVER_PROGRAM=$(CASSERT)/server/bin/forgetful test/run regress pgtap && test/run isolation tap')

coverage: deps
	$(call with_build,COVERAGE=1,PG_CONFIG='$(PG_CONFIG)' test/coverage)

# what is built or fetched once and used again, as test/chroot's
SERVERS = $(or $(CHROOTS),/var/tmp/idemstore)

quickstart: deps
	+$(MAKE) --no-print-directory install
	PG_CONFIG='$(PG_CONFIG)' test/throwaway -o max_connections=200 sh -c 'examples/quickstart/run && examples/http/run && \
		examples/ratelimit/run && examples/dedupe/run && examples/cache/run'

define run_bench
	PG_CONFIG='$(PG_CONFIG)' test/deps bench
	+$(MAKE) --no-print-directory install
	PG_CONFIG='$(PG_CONFIG)' bench/start $(1)
endef

bench:
	$(call run_bench)

bench-quick:
	$(call run_bench,--quick)

bench-publish:
	bench/publish

format:
	test/arch/format

docs:
	PG_CONFIG='$(PG_CONFIG)' test/deps docs
	test/manual/site

deb:
	test/package/deb $(VERSIONS)

dist:
	test/package/dist

test-image:
	PG_CONFIG='$(PG_CONFIG)' test/deps image
	test/package/image

force:

.PHONY: deps test test-model test-model-selftest test-assert test-ubsan test-asan test-asan-here test-valgrind test-cassert test-versions coverage quickstart check-arch format docs force
.PHONY: bench bench-quick bench-publish
.PHONY: check-warnings test-compilers
.PHONY: test-go dist-go
.PHONY: test-python dist-python
.PHONY: test-node dist-node
.PHONY: deb dist test-image
.DELETE_ON_ERROR:
