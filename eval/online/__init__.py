"""What production says: logged requests as questions, experiments, off-policy estimates."""
