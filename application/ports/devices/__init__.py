"""Ports about the devices of people."""
