"""Labels of telemetry: windows of injections laid onto rows, and the files that carry them."""
