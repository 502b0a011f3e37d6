"""The platform that every app stands on: jobs, events, storage, accounts, egress. It imports no app above it."""
