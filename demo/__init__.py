"""`manage.py demo`: real jobs in every state, for whoever looks at Oven for the first time."""
