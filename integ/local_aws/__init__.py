"""A local AWS: moto, with functions that really run and a CloudFormation that keeps its promises.

It is there to deploy to, with boto3 or the real cdk CLI, without Docker, network or account::

    with LocalAws() as aws:
        aws.client("cloudformation").create_stack(StackName="s", TemplateBody=template)
        subprocess.run(["cdk", "deploy"], env={**os.environ, **aws.environment()}, timeout=120, check=True)
        assert not aws.calls.of("PublishLayerVersion")
"""

from integ.local_aws.calls import Call, Calls, Fault, Faults
from integ.local_aws.server import LocalAws

__all__ = ["Call", "Calls", "Fault", "Faults", "LocalAws"]
