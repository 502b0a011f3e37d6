"""Social cards and the backdrop: jobs that capture the site's most played pieces and compose a picture of them."""
