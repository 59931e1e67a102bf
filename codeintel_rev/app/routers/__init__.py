"""One module per resource; each endpoint is a plain coroutine that asks the service through the gate."""
