"""The built-in sinks, one file each, registered as a stranger's would be."""
