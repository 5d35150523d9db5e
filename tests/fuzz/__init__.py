"""Coverage-guided fuzzing with atheris: ``python -m tests.fuzz.zips -max_total_time=60``."""
