"""One module per family of tools; each tool is a plain coroutine whose docstring is what the model reads."""
