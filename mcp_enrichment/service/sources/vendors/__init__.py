"""Sources that are paid."""
