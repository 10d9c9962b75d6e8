# What there is to do here. The work itself is in tests/ (local AWS, demo, tests) and infra/.

local = cargo run --quiet --locked --bin local --
venv = target/local/venv/bin

.PHONY: demo test test-faults test-commands bench fuzz up down check deploy replay build prerequisites
.SILENT:

# Shows an incident on a local AWS, from the finding to the proof that it is contained.
demo: build
	$(local) demo

# Starts the local AWS with Cordon in it, or brings both up to date.
up: build
	$(local) up

# Ends the local AWS.
down: prerequisites
	$(local) down

# Everything that must hold.
test: check
	$(local) install
	cd tests/local-aws && ../../$(venv)/python -m unittest discover --start-directory tests
	cd infra && npm run --silent lint && npm run --silent typecheck
	cd infra && npm run --silent test
	cd infra && npm run --silent cfn-lint
	cargo test --quiet --locked --test integration

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
test-commands:
	[ -d target/commands ] || python3 -m venv target/commands
	target/commands/bin/pip install --quiet --require-hashes --requirement tests/commands.txt
	target/commands/bin/python tests/commands.py

# What takes no local AWS: formatting, lints, unit tests.
check: prerequisites
	cargo fmt --all --check
	cargo clippy --quiet --locked --workspace --all-targets -- --deny warnings
	cargo test --quiet --locked --workspace --lib --bins --test repository --test machine --test cases

# Deploys a stack to the account that the environment has credentials for:
# make deploy CONFIG=path [STACK=CordonMember]
STACK = CordonSecurity
deploy: prerequisites
	[ -f '$(CONFIG)' ] || { echo 'no configuration: name its file, as in `make deploy CONFIG=cordon.json`' >&2; exit 1; }
	[ -d target/packaging ] || python3 -m venv target/packaging
	target/packaging/bin/pip install --quiet --require-hashes --requirement infra/packaging.txt
	. target/packaging/bin/activate && cargo lambda build --release --locked --workspace --exclude harness --exclude wire \
		--"$$(node -p '(JSON.parse(fs.readFileSync("$(CONFIG)")).architecture ?? "arm64").replace("_", "-")')"
	cd infra && npm ci && npx cdk deploy $(STACK) --context config='$(abspath $(CONFIG))'

# Starts an execution for each event that a rule could not deliver: make replay CONFIG=path [RULE=cordon-findings]
RULE = cordon-findings
replay: prerequisites
	cd infra && npm ci --silent && node --import tsx bin/replay.ts '$(abspath $(CONFIG))' '$(RULE)'

build: prerequisites
	cargo build --locked --workspace --bins

prerequisites:
	tests/prerequisites
