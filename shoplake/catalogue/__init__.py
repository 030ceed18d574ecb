"""What there is: every source, table and KPI, what each is made of, and how to find it."""
