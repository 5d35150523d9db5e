"""Props of CDK apps come in; staged assets and custom resources go out.

Only this folder imports ``aws_cdk``.
"""
