"""What people look at: tables of results."""
