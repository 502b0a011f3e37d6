"""Names under which messages of version 0.5 are still in the queue after an upgrade. Remove after 0.6."""
