"""Results in files of other formats: tables that pandas and polars open, and columns that phy shows."""
