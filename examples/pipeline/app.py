"""Two stages, deployed one after the other by ``.github/workflows/deploy.yml``."""

from aws_cdk import App
from service import Service

app = App()
for name in ("dev", "prod"):
    Service(app, name)
app.synth()
