"""Props of CDK apps come in; staged assets and custom resources go out.

The only code that imports ``aws_cdk``.
"""
