# What one does with this repository. `make` alone lists it.

.PHONY: help run test check bench micro docs clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

run: ## start a development server on loopback
	cargo run --release

test: ## install what the tests need, then run all of them, cheap ones first
	.ci/setup test
	cargo build --package rookery-server
	cargo test --workspace --lib --bins
	cargo test --workspace --doc
	cargo test --workspace --test '*'
	fuzz/run 5

check: ## everything that must hold besides the tests
	.ci/setup check
	cargo metadata --locked --format-version 1 >/dev/null
	cargo fmt --all --check
	cargo xtask layers
	cargo xtask tidy
	cargo xtask musts
	cargo deny check --allow unused-wrapper licenses bans sources
	.ci/advisories
	cargo clippy --workspace --all-targets -- --deny warnings
	cargo xtask docs --check
	RUSTDOCFLAGS='--deny warnings' cargo doc --workspace --no-deps
	cargo xtask instructions

bench: ## the same load on the server, its peers and a relay, and one table: ten minutes
	.ci/setup bench
	benches/peers/run.py

micro: ## time the parts of the server alone
	cargo bench --workspace --bench '*'

docs: ## write the generated documents, and the pages of the code
	cargo xtask docs
	cargo doc --workspace --no-deps

clean: ## remove everything that was built
	cargo clean
