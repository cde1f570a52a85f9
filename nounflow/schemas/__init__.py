"""Schemas of every file that passes between stages: parquet tables and JSON documents."""
