"""Spreadsheets: CSV without formulas, and files for people in their language."""
