"""Programs of the bench that run in the environment of an installation, each in a process of its own: arguments as JSON in, JSON out."""
