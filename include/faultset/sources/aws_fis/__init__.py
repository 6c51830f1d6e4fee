"""AWS Fault Injection Service: an experiment as its API tells it."""
