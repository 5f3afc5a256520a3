"""Results written: into NWB files, as tables, as columns of phy."""
