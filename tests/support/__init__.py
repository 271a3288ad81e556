"""What the tests in Python share: a daemon of their own, HTTP as bytes, load, processes."""
