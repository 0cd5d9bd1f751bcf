"""Other readers of files, measured beside North's own: each in an interpreter that need not have North's libraries."""
