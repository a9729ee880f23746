"""What tests of a backend need: contract suites, a reference oracle, sample traffic."""
