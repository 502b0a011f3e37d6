"""Cards: a site's social pictures, composed from captures of its pieces. Plain Python and Pillow, nothing of Django.

data = compose(Layout.MOSAIC, [Shown(piece, [image]), ...])  # a PNG; the same input gives the same bytes
"""
