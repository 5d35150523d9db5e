"""What the tests build with: tiny wheels, locks, projects, a package index on the loopback address."""
