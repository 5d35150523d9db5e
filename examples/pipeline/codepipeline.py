"""The same two stages, deployed by AWS CodePipeline: ``cdk deploy --app "python codepipeline.py"``, once."""

from aws_cdk import App, Stack, pipelines
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_s3 as s3
from service import Service

CONNECTION = "arn:aws:codeconnections:eu-central-1:123456789012:connection/0123abcd"

app = App()
stack = Stack(app, "GreeterPipeline")
cache = s3.Bucket(stack, "Cache", block_public_access=s3.BlockPublicAccess.BLOCK_ALL, enforce_ssl=True)
pipeline = pipelines.CodePipeline(
    stack,
    "Pipeline",
    pipeline_type=codepipeline.PipelineType.V2,
    synth=pipelines.ShellStep(
        "Synth",
        input=pipelines.CodePipelineSource.connection("acme/greeter", "main", connection_arn=CONNECTION),
        install_commands=["pip install -r requirements-cdk.txt"],
        commands=['npx aws-cdk@2 synth --app "python codepipeline.py"'],
        env={"LBDART_CACHE_DIR": "/tmp/lbdart-cache"},
    ),
    # What was downloaded and built is kept from one run to the next.
    synth_code_build_defaults=pipelines.CodeBuildOptions(
        cache=codebuild.Cache.bucket(cache),
        partial_build_spec=codebuild.BuildSpec.from_object({"cache": {"paths": ["/tmp/lbdart-cache/**/*"]}}),
    ),
)
pipeline.add_stage(Service(app, "dev"))
pipeline.add_stage(Service(app, "prod"), pre=[pipelines.ManualApprovalStep("Release")])
app.synth()
