"""Exports on a schedule: each day of each site as one Parquet file, in a folder or a bucket."""
