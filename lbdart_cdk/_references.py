"""How other stacks refer to a layer version without holding on to it.

CDK's own cross-stack reference is a CloudFormation export, and an export that is in use cannot change: the
layer could never be updated again (aws-cdk#1972). A weak reference reads the producing stack's output
when the consumer is deployed. Nothing breaks in between, since a version that is replaced is retained.
"""

from __future__ import annotations

import aws_cdk
from constructs import IConstruct


def refer_weakly(resource: IConstruct) -> None:
    """Let other stacks refer to the resource's attributes weakly, where aws-cdk-lib can (2.254 and later)."""
    references = getattr(aws_cdk, "CrossStackReferences", None)
    if references is not None:
        references.of(resource).produce(aws_cdk.ReferenceStrength.WEAK)
