"""AuthZEN Authorization API 1.0."""
