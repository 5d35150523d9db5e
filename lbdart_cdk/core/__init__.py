"""The tool-agnostic, CDK-free core: it runs on a laptop, in CI and inside the Lambda handler."""
