"""Write results: into NWB files, as tables, and as columns for phy."""
