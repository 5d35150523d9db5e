"""An ordered CloudFormation: dependencies first, custom resources awaited, failures rolled back."""
