"""The types of the portal's activities."""
