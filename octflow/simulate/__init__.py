"""A phantom brain and the microscope that scans it: raw tiles with known truth."""
